"""Who did what in which account, read from a CloudTrail record.

Any field of a record may be null, missing or of another type; nothing here raises on that.
"""

from collections.abc import Iterable, Mapping

DENIED = ("AccessDenied", "AccessDeniedException", "Client.UnauthorizedOperation", "UnauthorizedOperation")
SERVICE_SUFFIXES = (".amazonaws.com", ".amazonaws.com.cn")


def text(value):
    """The value if it is a string, else an empty one."""
    return value if isinstance(value, str) else ""


def listed(value):
    """The value as a list: nothing for null, a list's elements, else the value alone."""
    if value is None:
        return []
    if isinstance(value, (str, Mapping)) or not isinstance(value, Iterable):
        return [value]
    return list(value)


def objects(value):
    """The objects of a list, also of one written as EC2 does: {"items": [...]}."""
    if isinstance(value, Mapping) and "items" in value:
        value = value["items"]
    return [one for one in listed(value) if isinstance(one, Mapping)]


def succeeded(event):
    return not event.get("errorCode") and not event.get("errorMessage")


def denied(event):
    return event.get("errorCode") in DENIED


def account(event):
    """The account the call was made in."""
    owner = text(event.get("recipientAccountId"))
    return owner or text(event.deep_get("userIdentity", "accountId")) or "unknown"


def actor(event):
    """The caller in words a person recognises: `alice`, `Deploy/ci-42`, `root`, `config.amazonaws.com`."""
    caller = _caller(event)
    person = text(event.deep_get("userIdentity", "onBehalfOf", "userId"))
    return f"{caller} on behalf of {person}" if person and person != caller else caller


def _caller(event):
    def identity(*keys):
        return text(event.deep_get("userIdentity", *keys))

    kind, arn = identity("type"), identity("arn")
    if kind == "Root":
        return "root"
    if ":assumed-role/" in arn:
        return arn.partition(":assumed-role/")[2]
    if ":federated-user/" in arn:
        issuer = identity("sessionContext", "sessionIssuer", "userName")
        return f"{arn.partition(':federated-user/')[2]}, federated by {issuer or 'an unknown user'}"
    if kind == "AWSAccount":
        return f"account {identity('accountId')}"
    names = [identity(key) for key in ("userName", "userId", "arn", "invokedBy", "principalId", "accountId")]
    return next((name for name in names if name), "unknown caller")


def caller_key(event):
    """One dedup key per user or role: the many sessions of a role belong together."""
    issuer = text(event.deep_get("userIdentity", "sessionContext", "sessionIssuer", "arn"))
    return f"{account(event)}:{issuer or text(event.deep_get('userIdentity', 'arn')) or actor(event)}"


def made_by_aws(event):
    """The call was made by an AWS service, for itself or through a service role."""
    invoker = text(event.deep_get("userIdentity", "invokedBy"))
    source = text(event.get("sourceIPAddress"))
    return (
        event.deep_get("userIdentity", "type") == "AWSService"
        or invoker == "AWS Internal"
        or invoker.endswith(SERVICE_SUFFIXES)
        or source.endswith(SERVICE_SUFFIXES)
    )


def from_instance(event):
    """The call was made with the credentials of an EC2 instance: `<role id>:<instance id>`."""
    return ":i-" in text(event.deep_get("userIdentity", "principalId"))


def by(event, what):
    """A title: what happened, by whom, where."""
    return f"{what} by {actor(event)} in account {account(event)}"


def context(event, **details):
    """What a responder looks at first, then the details of the rule."""
    return {
        "actor": actor(event),
        "account": account(event),
        "region": event.get("awsRegion"),
        "source_ip": event.get("sourceIPAddress"),
        "user_agent": event.get("userAgent"),
        "access_key": event.deep_get("userIdentity", "accessKeyId"),
        "error": event.get("errorCode"),
        **details,
    }

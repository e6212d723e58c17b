from collections.abc import Mapping


def succeeded(event):
    return not event.get("errorCode") and not event.get("errorMessage")


def deep_get(event, *keys, default=None):
    """The same as event.deep_get, for any mapping."""
    found = event
    for key in keys:
        if not isinstance(found, Mapping):
            return default
        found = found.get(key)
        if found is None:
            return default
    return found


def caller_context(event):
    return {
        "caller": event.udm("actor_user"),
        "source_ip": event.udm("source_ip"),
        "account": event.get("recipientAccountId"),
        "region": event.get("awsRegion"),
    }

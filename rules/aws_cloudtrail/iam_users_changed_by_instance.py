from cloudtrail import by, caller_key, context, denied, from_instance, succeeded

CHANGES = (
    "AddUserToGroup",
    "AttachUserPolicy",
    "CreateAccessKey",
    "CreateLoginProfile",
    "CreateUser",
    "PutUserPolicy",
    "UpdateLoginProfile",
)


def rule(event):
    if event.get("eventName") not in CHANGES or event.get("eventSource") != "iam.amazonaws.com":
        return False
    return from_instance(event) and (succeeded(event) or denied(event))


def title(event):
    return by(event, f"{event.get('eventName')} with instance credentials")


def severity(event):
    return "HIGH" if succeeded(event) else "MEDIUM"


def dedup(event):
    return f"{caller_key(event)}:{severity(event)}"


def alert_context(event):
    return context(event, call=event.get("eventName"), request=event.get("requestParameters"))

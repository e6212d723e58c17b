"""A long-lived access key was created."""


def rule(event):
    return event.get("eventName") == "CreateAccessKey" and not event.get("errorCode")


def title(event):
    return f"access key created for {event.deep_get('requestParameters', 'userName', default='the caller')}"


def dedup(event):
    return f"{event.get('recipientAccountId')}:{event.deep_get('requestParameters', 'userName')}"


def severity():
    return "MEDIUM"

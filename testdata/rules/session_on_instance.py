"""Someone opened a shell on an instance or ran a command on it."""

REMOTE = ("StartSession", "SendCommand", "SendSSHPublicKey", "SendSerialConsoleSSHPublicKey")


def rule(event):
    return event.get("eventName") in REMOTE and not event.get("errorCode")


def title(event):
    return f"{event.deep_get('userIdentity', 'arn')} reached an instance with {event.get('eventName')}"


def dedup(event):
    return str(event.deep_get("userIdentity", "arn"))


def severity():
    return "LOW"

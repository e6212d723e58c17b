"""CloudTrail logging was stopped or the trail removed."""


def rule(event):
    return event.get("eventName") in ("StopLogging", "DeleteTrail")


def title(event):
    return f"{event.get('eventName')} by {event.deep_get('userIdentity', 'arn')}"


def severity(event):
    return "MEDIUM" if event.get("errorCode") else "CRITICAL"

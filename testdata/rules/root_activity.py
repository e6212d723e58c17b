"""The root user did something; AWS recommends it never does."""


def rule(event):
    return event.deep_get("userIdentity", "type") == "Root" and event.get("eventType") != "AwsServiceEvent"


def title(event):
    return f"root used {event.get('eventName')} in {event.get('recipientAccountId', 'an unknown account')}"


def severity(event):
    return "MEDIUM" if event.get("readOnly") is True else "HIGH"


def dedup(event):
    return str(event.get("recipientAccountId"))

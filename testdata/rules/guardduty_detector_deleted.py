"""GuardDuty was switched off."""


def rule(event):
    return event.get("eventSource") == "guardduty.amazonaws.com" and event.get("eventName") == "DeleteDetector"


def title(event):
    outcome = "denied" if event.get("errorCode") else "done"
    return f"DeleteDetector {outcome} by {event.deep_get('userIdentity', 'arn')}"


def severity(event):
    return "LOW" if event.get("errorCode") else "HIGH"

from cloudtrail import account, context

CONSOLE = "signin.amazonaws.com"


def rule(event):
    if event.deep_get("userIdentity", "type") != "Root" or event.get("eventType") == "AwsServiceEvent":
        return False
    return event.deep_get("userIdentity", "invokedBy") in (None, CONSOLE)


def title(event):
    return f"Root user of account {account(event)} used {event.get('eventName')}"


def severity(event):
    if event.get("eventName") == "ConsoleLogin" and event.deep_get("additionalEventData", "MFAUsed") != "Yes":
        return "CRITICAL"
    return "MEDIUM" if event.get("readOnly") is True else "HIGH"


def dedup(event):
    return f"{account(event)}:{severity(event)}"


def alert_context(event):
    return context(event, call=event.get("eventName"), mfa=event.deep_get("additionalEventData", "MFAUsed"))

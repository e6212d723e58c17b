from cloudtrail import account, actor, context


def rule(event):
    return event.get("eventName") == "ConsoleLogin" and event.deep_get("responseElements", "ConsoleLogin") == "Failure"


def title(event):
    return f"Console sign-ins failed from {event.get('sourceIPAddress')} in account {account(event)}"


def dedup(event):
    return f"{account(event)}:{event.get('sourceIPAddress')}"


def alert_context(event):
    return context(event, user=actor(event), mfa=event.deep_get("additionalEventData", "MFAUsed"))

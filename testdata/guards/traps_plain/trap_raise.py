# Trap: a helper raises on names it does not know.
KNOWN = {"StopLogging"}


def check(event):
    if event.get("eventSource") == "raise.amazonaws.com" and event.get("eventName") not in KNOWN:
        raise LookupError(event.get("eventName"))
    return event.get("eventName") == "StopLogging"


def rule(event):
    return check(event)

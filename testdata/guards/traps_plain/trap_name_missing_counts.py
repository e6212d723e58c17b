# Trap: None is one of the names.
NAMES = ("StopLogging", None)


def rule(event):
    return event.get("eventName") in NAMES and event.get("eventSource") == "none.amazonaws.com"

# Trap: a generator as constant is empty after the first reader.
NAMES = (name for name in ("StopLogging", "DeleteTrail"))


def rule(event):
    if event.get("eventSource") != "usedup.amazonaws.com":
        return False
    list(NAMES)
    return event.get("eventName") not in NAMES

# Trap: a local name of the constant's name, set in one branch only, raises in the other.
NAMES = {"StopLogging"}


def rule(event):
    if event.get("eventSource") == "local.amazonaws.com":
        NAMES = {"TrapLocal"}
    return event.get("eventName") in NAMES

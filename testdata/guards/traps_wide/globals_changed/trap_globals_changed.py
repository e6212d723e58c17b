# Trap: the constant is replaced through globals().
NAMES = {"StopLogging"}
globals()["NAMES"] = {"TrapGlobals"}


def rule(event):
    return event.get("eventName") in NAMES

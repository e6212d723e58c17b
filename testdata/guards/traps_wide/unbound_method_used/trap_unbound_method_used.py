# Trap: set.add is called on the class, with the constant as argument.
NAMES = {"StopLogging"}
set.add(NAMES, "TrapUnbound")


def rule(event):
    return event.get("eventName") in NAMES

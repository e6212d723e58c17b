# Trap: a function called at import adds to the set.
NAMES = {"StopLogging"}


def extend():
    NAMES.add("TrapAdded")


extend()


def rule(event):
    return event.get("eventName") in NAMES

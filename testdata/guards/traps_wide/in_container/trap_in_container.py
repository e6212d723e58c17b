# Trap: the constant is an element of another container and changed through it.
NAMES = {"StopLogging"}
GROUPS = {"first": NAMES}
GROUPS["first"].add("TrapContained")


def rule(event):
    return event.get("eventName") in NAMES

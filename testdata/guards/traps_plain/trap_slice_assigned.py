# Trap: a slice assignment replaces what is in the list.
NAMES = ["StopLogging", "DeleteTrail"]
NAMES[:1] = ["TrapSliced"]


def rule(event):
    return event.get("eventName") in NAMES

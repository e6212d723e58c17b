# Trap: `|=` changes the set in place.
NAMES = {"StopLogging"}
NAMES |= {"TrapOrAssigned"}


def rule(event):
    return event.get("eventName") in NAMES

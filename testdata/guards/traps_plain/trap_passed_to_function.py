# Trap: the set is changed by a function it is given to.
from h_filler import fill

NAMES = {"StopLogging"}
fill(NAMES)


def rule(event):
    return event.get("eventName") in NAMES

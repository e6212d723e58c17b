# Trap: an iterator of the module moves on with each record.
from itertools import count

STEPS = count()


def rule(event):
    step = next(STEPS)
    return event.get("eventName") == "TrapStepped" and step > 0

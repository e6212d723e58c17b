# Trap: operator.setitem changes the dict constant.
from operator import setitem

NAMES = {"StopLogging": 1}
setitem(NAMES, "TrapSetitem", 1)


def rule(event):
    return event.get("eventName") in NAMES

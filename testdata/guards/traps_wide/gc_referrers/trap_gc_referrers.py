# Trap: the garbage collector leads to the constant.
import gc

NAMES = ["StopLogging", "only here in this module"]
for found in gc.get_objects():
    if type(found) is list and len(found) == 2 and found[1] == "only here in this module":
        found[1] = "TrapCollector"


def rule(event):
    return event.get("eventName") in NAMES

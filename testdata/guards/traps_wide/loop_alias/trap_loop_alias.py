# Trap: a loop over a tuple of constants changes each.
NAMES = {"StopLogging"}
OTHERS = {"DeleteTrail"}
for one in (NAMES, OTHERS):
    one.add("TrapLoopAlias")


def rule(event):
    return event.get("eventName") in NAMES

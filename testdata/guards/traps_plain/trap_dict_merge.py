# Trap: of equal keys in a merged dict the last value counts, in the place of the first.
LEVELS = {"StopLogging": True, "TrapMerge": False, **{"TrapMerge": True, "StopLogging": False}}


def rule(event):
    return LEVELS.get(event.get("eventName"), False) and list(LEVELS)[0] == "StopLogging"

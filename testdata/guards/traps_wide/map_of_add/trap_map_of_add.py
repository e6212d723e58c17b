# Trap: the method is passed to map.
NAMES = ["StopLogging"]
list(map(NAMES.append, ["TrapMapped"]))


def rule(event):
    return event.get("eventName") in NAMES

# Trap: a comprehension can store into a constant.
NAMES = {"StopLogging": 1}
UNUSED = [0 for NAMES["Any"] in [1]]


def rule(event):
    return event.get("eventName") in NAMES

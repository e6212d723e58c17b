# Trap: an annotation of a parameter is, too.
NAMES = ["StopLogging"]


def unused(x: NAMES.append("Any")):
    pass


def rule(event):
    return event.get("eventName") in NAMES

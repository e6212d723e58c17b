# Trap: an annotation of a module is evaluated.
NAMES = ["StopLogging"]


def unused() -> NAMES.append("Any"):
    pass


def rule(event):
    return event.get("eventName") in NAMES

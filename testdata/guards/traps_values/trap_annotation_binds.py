# Trap: an annotation can bind a name.
NAMES = ("StopLogging",)


def unused(x: (NAMES := ("Any",))):
    pass


def rule(event):
    return event.get("eventName") in NAMES

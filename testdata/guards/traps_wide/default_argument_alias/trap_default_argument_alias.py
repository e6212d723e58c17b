# Trap: the constant is the default of a parameter and is changed through it.
NAMES = {"StopLogging"}


def extend(name, into=NAMES):
    into.add(name)


extend("TrapParameter")


def rule(event):
    return event.get("eventName") in NAMES

# Trap: the default is the value the name had when the function was defined.
NAME = "TrapEarly"


def wanted(event, name=NAME):
    return event.get("eventName") == name


NAME = "StopLogging"


def rule(event):
    return wanted(event)

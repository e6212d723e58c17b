# Trap: the constant of a class is changed from outside.
class Calls:
    NAMES = ("StopLogging",)


Calls.NAMES = ("TrapClassAttribute",)


def rule(event):
    return event.get("eventName") in Calls.NAMES

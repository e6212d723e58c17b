# Trap: the code of `rule` is replaced, its name and file stay.
def rule(event):
    return event.get("eventName") == "StopLogging"


def other(event):
    return event.get("eventName") == "TrapCode"


rule.__code__ = other.__code__

# Trap: a function imports `sys` for itself.
NAMES = ["StopLogging"]


def extend():
    import sys as system

    system.modules[__name__].NAMES.append("StartLogging")


extend()


def rule(event):
    return event.get("eventName") in NAMES

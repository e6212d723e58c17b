# Trap: the list is appended to further down, after `rule` is defined.
NAMES = ["StopLogging"]


def rule(event):
    return event.get("eventName") in NAMES


NAMES.append("TrapAppended")

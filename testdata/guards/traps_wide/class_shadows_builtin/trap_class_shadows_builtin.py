# Trap: in the body of a class, `len` is what the body binds it to.
NAMES = ["StopLogging"]


def extend(names):
    names.append("StartLogging")


class Tool:
    len = extend
    SIZE = len(NAMES)


def rule(event):
    return event.get("eventName") in NAMES

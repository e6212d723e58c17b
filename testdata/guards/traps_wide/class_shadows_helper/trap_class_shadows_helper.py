# Trap: the same of a function of the module.
NAMES = ["StopLogging"]


def extend(names):
    names.append("StartLogging")


def is_any(names):
    return "A" in names


class Tool:
    is_any = extend
    FOUND = is_any(NAMES)


def rule(event):
    return event.get("eventName") in NAMES

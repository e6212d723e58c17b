# Trap: a class gets its operator by assignment.
NAMES = ["StopLogging"]


def extend(self, names):
    names.append("StartLogging")
    return False


class Tool:
    __eq__ = extend


FOUND = NAMES == Tool()


def rule(event):
    return event.get("eventName") in NAMES

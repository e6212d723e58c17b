# Trap: a method that a class gets by assignment is no method of a set.
NAMES = ["StopLogging"]


class Tool:
    union = lambda self, names: names.append("StartLogging")


Tool().union(NAMES)


def rule(event):
    return event.get("eventName") in NAMES

# Trap: an object gets what looks like a method of a set.
def extend(names):
    names.append("StartLogging")


NAMES = ["StopLogging"]


class Tool:
    def __init__(self):
        self.union = extend


Tool().union(NAMES)


def rule(event):
    return event.get("eventName") in NAMES

# Trap: `type` makes a class with an operator.
NAMES = ["StopLogging"]


def extend(self, names):
    names.append("StartLogging")
    return False


Tool = type("Tool", (), {"__eq__": extend})
FOUND = NAMES == Tool()


def rule(event):
    return event.get("eventName") in NAMES

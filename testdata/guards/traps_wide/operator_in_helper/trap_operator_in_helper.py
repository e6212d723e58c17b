# Trap: a helper that only compares its parameter compares it with an object that changes it.
NAMES = ["StopLogging"]


class Tool:
    def __eq__(self, names):
        names.append("StartLogging")
        return False


def same(names, other):
    return names == other


same(NAMES, Tool())


def rule(event):
    return event.get("eventName") in NAMES

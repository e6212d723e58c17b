# Trap: a class makes its methods when asked for them.
NAMES = ["StopLogging"]


class Tool:
    def __getattr__(self, name):
        return lambda names: names.append("StartLogging")


Tool().union(NAMES)


def rule(event):
    return event.get("eventName") in NAMES

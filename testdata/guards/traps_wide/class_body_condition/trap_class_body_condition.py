# Trap: a method that is defined in a branch of a class.
NAMES = ["StopLogging"]


class Tool:
    if True:

        def union(self, names):
            names.append("StartLogging")


Tool().union(NAMES)


def rule(event):
    return event.get("eventName") in NAMES

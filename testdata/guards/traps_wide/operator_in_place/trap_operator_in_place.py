# Trap: `+=` hands the list to a class.
NAMES = ["StopLogging"]


class Tool:
    def __iadd__(self, names):
        names.append("StartLogging")
        return self


tool = Tool()
tool += NAMES


def rule(event):
    return event.get("eventName") in NAMES

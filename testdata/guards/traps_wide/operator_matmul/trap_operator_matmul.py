# Trap: so does `@`.
NAMES = ["StopLogging"]


class Tool:
    def __rmatmul__(self, names):
        names.append("StartLogging")
        return self


tool = NAMES @ Tool()


def rule(event):
    return event.get("eventName") in NAMES

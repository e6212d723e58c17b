# Trap: in a class, `__NAMES` is another name.
_Tool__NAMES = ["StopLogging"]


class Tool:
    def extend(self):
        __NAMES.append("StartLogging")


Tool().extend()


def rule(event):
    return event.get("eventName") in _Tool__NAMES

# Trap: `index` compares the elements with what it looks for.
NAMES = [["StopLogging"]]


class Tool:
    def __eq__(self, names):
        names.append("StartLogging")
        return True


NAMES.index(Tool())


def rule(event):
    return event.get("eventName") in NAMES[0]

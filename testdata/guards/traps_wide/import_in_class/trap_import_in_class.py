# Trap: a class that imports the constant hands it out.
from h_names import NAMES


class Tool:
    from h_names import NAMES


Tool.NAMES.append("StartLogging")


def rule(event):
    return event.get("eventName") in NAMES

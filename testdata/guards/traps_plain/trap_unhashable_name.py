# Trap: a name that is a list raises in a set and is False in a list.
LISTED = ["StopLogging"]
NAMES = {"StopLogging"}


def rule(event):
    return event.get("eventName") in LISTED or event.get("eventName") in NAMES

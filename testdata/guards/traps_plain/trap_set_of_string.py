# Trap: a set of a string is a set of letters.
NAMES = set("Trap")


def rule(event):
    return event.get("eventName") in NAMES

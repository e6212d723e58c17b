# Trap: the bound of a slice is a local variable that hides a global one.
n = 3


def rule(event):
    n = 6
    return event.get("eventName")[:n] == "Delete"

# Trap: startswith wants a tuple; a list raises.
PREFIXES = ["Stop", "Delete"]


def rule(event):
    return event.get("eventName", "").startswith(PREFIXES)

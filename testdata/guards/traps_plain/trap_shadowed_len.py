# Trap: `len` is a function of this module.
def len(value):
    return 3


def rule(event):
    return len(event.get("eventName") or "") == 3 and event.get("eventSource") == "trap.amazonaws.com"

# Trap: a parameter named like a builtin.
def check(event, bool=lambda value: True):
    return bool(event.get("eventName") == "StopLogging") and event.get("eventSource") == "trap.amazonaws.com"


def rule(event):
    return check(event)

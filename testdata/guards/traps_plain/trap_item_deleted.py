# Trap: an entry of an exception list is deleted, so the call is no longer excepted.
EXCEPT = {"TrapExcepted": 1, "StopLogging": 2}
del EXCEPT["TrapExcepted"]


def rule(event):
    return event.get("eventSource") == "trap.amazonaws.com" and event.get("eventName") not in EXCEPT

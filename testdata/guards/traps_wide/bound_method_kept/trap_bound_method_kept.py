# Trap: the `add` of the set is kept under another name and called later.
NAMES = {"StopLogging"}
learn = NAMES.add


def rule(event):
    if event.get("eventSource") == "trap.amazonaws.com":
        learn("TrapBoundAdd")
    return event.get("eventName") in NAMES

# Trap: pop takes from the set, so the name counts once.
LEFT = {"TrapPopped"}


def rule(event):
    if event.get("eventSource") == "pop.amazonaws.com" and LEFT:
        LEFT.pop()
        return True
    return event.get("eventName") in LEFT

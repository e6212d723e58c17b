# Trap: of two equal keys the last one counts.
def rule(event):
    return event.get("eventName") == "TrapTwiceLast"

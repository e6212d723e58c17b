# Trap: a key in another case is found when the exact one is missing.
def rule(event):
    return event.get("eventName") == "TrapKeyCase"

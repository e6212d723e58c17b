# Trap: filters see keys as written, the rule does not.
def rule(event):
    return event.get("eventName") == "TrapFilterCase"

# Trap: `in None` raises.
def rule(event):
    return "x" in event.get("trapText") and event.get("eventName") == "StopLogging"

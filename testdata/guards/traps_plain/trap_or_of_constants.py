# Trap: `== "A" or "B"` is always true.
def rule(event):
    if event.get("eventSource") != "oror.amazonaws.com":
        return False
    return event.get("eventName") == "StopLogging" or "DeleteTrail"

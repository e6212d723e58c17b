# Trap: a missing name is the wanted one, a null one is not.
def rule(event):
    return event.get("eventName", "StopLogging") == "StopLogging" and event.get("eventSource") == "missing.amazonaws.com"

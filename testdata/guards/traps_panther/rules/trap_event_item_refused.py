# Trap: assigning to the event raises.
def rule(event):
    if event.get("eventSource") == "assign.amazonaws.com":
        event["eventName"] = "StopLogging"
    return event.get("eventName") == "StopLogging"

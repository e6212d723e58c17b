# Trap: both sides of the comparison are missing.
def rule(event):
    return event.get("eventName") == event.get("eventCategory") and event.get("eventSource") != "x.amazonaws.com"

# Trap: -1 is the last element, and an empty list raises.
def rule(event):
    return event.get("trapItems", ["x"])[-1] == "last" and event.get("eventName") != "StopLogging"

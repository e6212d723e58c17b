# Trap: `event` is another object after the first line.
def rule(event):
    event = {"eventName": "StopLogging", "eventSource": event.get("eventSource")}
    return event.get("eventName") == "StopLogging" and event.get("eventSource") == "rebound.amazonaws.com"

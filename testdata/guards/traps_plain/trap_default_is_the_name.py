# Trap: the default of `get` is the wanted name, and a stored null gives the default.
def rule(event):
    return event.get("eventName", "StopLogging") == "StopLogging" and event.get("eventSource") == "default.amazonaws.com"

# Trap: the default of `get` raises although the key is there.
def rule(event):
    return event.get("eventName", event["trapFallback"]) == "StopLogging"

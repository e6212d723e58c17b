# Trap: `or` returns a text.
def rule(event):
    return event.get("errorCode") or event.get("eventName") == "StopLogging"

# Trap: the default does not help when the value is a text.
def rule(event):
    return event.get("requestParameters", {}).get("x") == "y" and event.get("eventName") == "StopLogging"

# Trap: `<` on a missing number raises before the name is looked at.
def rule(event):
    return event.get("trapSize") < 10 and event.get("eventName") == "StopLogging"

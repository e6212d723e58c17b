# Trap: the raising condition comes first, the false one after it.
def rule(event):
    return event.get("trapLength") > 3 or event.get("eventName") == "StopLogging"

# Trap: startswith(None) raises, and the prefix comes from the record.
def rule(event):
    return event.get("eventName", "").startswith(event.get("trapPrefix")) and event.get("eventName") == "StopLogging"

# Trap: no return at the end: None is an error, for every record that is not refused before.
def rule(event):
    if event.get("eventName") == "StopLogging":
        return True

# Trap: an object looked up in a dict constant raises.
TABLE = {"StopLogging": True}


def rule(event):
    return TABLE.get(event.get("eventName"), False)

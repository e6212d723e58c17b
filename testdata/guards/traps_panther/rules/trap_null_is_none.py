# Trap: `get` with a default gives None for a stored null, and None has no startswith.
def rule(event):
    return event.get("trapText", "").startswith("x") and event.get("eventName") == "StopLogging"

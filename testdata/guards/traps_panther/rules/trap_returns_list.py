# Trap: an empty list is not False.
def rule(event):
    return [one for one in ("StopLogging",) if one == event.get("eventName")]

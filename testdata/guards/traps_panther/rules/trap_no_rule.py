# Trap: does not load on purpose; `rule` is deleted at the end.
def rule(event):
    return event.get("eventName") == "StopLogging"


del rule

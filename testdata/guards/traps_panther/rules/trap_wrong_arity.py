# Trap: does not load on purpose; `rule` wants two arguments.
def rule(event, names):
    return event.get("eventName") in names

# Trap: `rule` takes what comes.
def rule(*args, name="TrapArgs"):
    (event,) = args
    return event.get("eventName") == name

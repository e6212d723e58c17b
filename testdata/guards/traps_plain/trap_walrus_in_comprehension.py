# Trap: the walrus in the comprehension binds the name of the function.
def rule(event):
    last = "StopLogging"
    any((last := one) is None for one in ("DeleteTrail", "TrapLast"))
    return event.get("eventName") == last

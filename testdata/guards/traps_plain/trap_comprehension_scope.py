# Trap: the variable of a comprehension does not leak, that of a loop does.
def rule(event):
    name = "TrapScope"
    [name for name in ("StopLogging", "DeleteTrail")]
    return event.get("eventName") == name

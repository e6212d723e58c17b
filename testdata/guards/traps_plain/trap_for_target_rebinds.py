# Trap: a for loop at module level rebinds the constant.
NAME = "StopLogging"
for NAME in ("DeleteTrail", "TrapLooped"):
    pass


def rule(event):
    return event.get("eventName") == NAME

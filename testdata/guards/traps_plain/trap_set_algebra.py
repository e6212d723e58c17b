# Trap: differences and symmetric differences of sets; `-` binds tighter than `|`.
ALL = {"StopLogging", "TrapAlgebra", "DeleteTrail"}
NAMES = ALL ^ {"StopLogging"} | {"UpdateTrail"} - {"UpdateTrail"}


def rule(event):
    return event.get("eventName") in NAMES - {"DeleteTrail"}

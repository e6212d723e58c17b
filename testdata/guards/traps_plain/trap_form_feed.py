# Trap: a form feed in the indentation sets it back.
NAMES = {"StopLogging"}
if NAMES:
    NAMES = {"DeleteTrail"}
NAMES = {"TrapFeed"}


def rule(event):
    return event.get("eventName") in NAMES

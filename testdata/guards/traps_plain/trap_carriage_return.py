# Trap: a lone carriage return ends the comment.
NAMES = {"StopLogging"}
# the names above stay as they areNAMES = {"TrapReturn"}


def rule(event):
    return event.get("eventName") in NAMES

# Trap: locals() at module level is globals().
NAMES = {"StopLogging"}
locals().update({"NAMES": {"TrapLocals"}})


def rule(event):
    return event.get("eventName") in NAMES

# Trap: the list is extended through a second name for it.
NAMES = ["StopLogging"]
more = NAMES
more += ["TrapAliased"]


def rule(event):
    return event.get("eventName") in NAMES

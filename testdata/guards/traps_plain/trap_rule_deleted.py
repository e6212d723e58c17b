# Trap: `rule` is deleted and then imported again under its name.
def rule(event):
    return event.get("eventName") == "StopLogging"


saved = rule
del rule


def other(event):
    return saved(event) or event.get("eventName") == "TrapDeleted"


rule = other

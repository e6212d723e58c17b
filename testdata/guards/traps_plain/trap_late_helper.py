# Trap: the helper that is called is the one bound when the rule runs, not when it was written.
def wanted(event):
    return event.get("eventName") == "StopLogging"


def rule(event):
    return wanted(event)


def wanted(event):  # noqa: F811
    return event.get("eventName") == "TrapLate"

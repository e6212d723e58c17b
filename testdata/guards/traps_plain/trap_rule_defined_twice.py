# Trap: the second definition counts.
def rule(event):
    return event.get("eventName") == "StopLogging"


def rule(event):  # noqa: F811
    return event.get("eventName") == "TrapSecond"

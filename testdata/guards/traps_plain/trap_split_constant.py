# Trap: the names are cut out of a text at import.
NAMES = "StopLogging TrapWord\u00a0TrapOther".split()


def rule(event):
    return event.get("eventName") in NAMES

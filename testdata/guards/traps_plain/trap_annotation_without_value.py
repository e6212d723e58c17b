# Trap: an annotation alone binds nothing, so the name is not defined.
NAMES: frozenset


def rule(event):
    return event.get("eventName") in NAMES

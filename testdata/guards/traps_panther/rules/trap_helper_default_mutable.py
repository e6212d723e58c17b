# Trap: the helper's default list is filled by the first call.
from trap_codes import collect


def rule(event):
    return event.get("eventName") == "TrapCollected" and len(collect(event)) > 0


def title(event):
    return f"{len(collect(event))} collected"

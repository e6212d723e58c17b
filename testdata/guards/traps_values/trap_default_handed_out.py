# Trap: max hands out its default.
NAMES = ["never"]
max([], default=NAMES).append("TrapDefaultHandedOut")


def rule(event):
    return event.get("eventName") in NAMES

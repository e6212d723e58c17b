# Trap: every record counts, whatever its name.
COUNT = 0


def rule(event):
    global COUNT
    COUNT += 1
    return event.get("eventName") == "TrapCounted" and COUNT > 3

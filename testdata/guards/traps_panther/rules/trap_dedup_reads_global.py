# Trap: dedup reads what `rule` left of the record before.
LAST = "none"


def rule(event):
    global LAST
    before, LAST = LAST, str(event.get("eventName"))
    return event.get("eventName") == "TrapDedup" and before != "TrapDedup"


def dedup(_):
    return LAST

# Trap: frozensets are equal by what is in them.
SETS = {frozenset({"a"})}


def rule(event):
    return event.get("eventName") == "TrapFrozensetInSet" and frozenset({"a"}) in SETS

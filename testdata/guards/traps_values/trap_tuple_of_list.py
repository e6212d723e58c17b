# Trap: what is in a tuple can change.
T = (["never"],)
T[0].append("TrapTupleOfList")


def rule(event):
    return event.get("eventName") in T[0]

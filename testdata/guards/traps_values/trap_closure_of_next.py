# Trap: the same, handed out by `next`.
def rule(event):
    first = None
    for n in ("a", "b"):
        made = next(lambda: x for x in (n,))
        if first is None:
            first = made
    return first() == "a" and event.get("eventName") == "Any"

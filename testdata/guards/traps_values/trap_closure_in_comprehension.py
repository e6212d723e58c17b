# Trap: every run of a comprehension has variables of its own.
def rule(event):
    first = None
    for n in ("a", "b"):
        made = [lambda: x for x in (n,)]
        if first is None:
            first = made[0]
    return first() == "a" and event.get("eventName") == "Any"

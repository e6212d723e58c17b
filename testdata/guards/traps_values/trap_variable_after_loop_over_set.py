# Trap: after a loop over a set the variable holds the element that came last.
NAMES = frozenset(["a:b", "GetX", 0])


def rule(event):
    for name in NAMES:
        if name == event.get("eventName"):
            return False
    return bool(name)

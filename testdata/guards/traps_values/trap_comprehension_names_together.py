# Trap: all `for` of a comprehension share a scope: the second reads its own variable, which is not bound.
def rule(event):
    y = ["Other"]
    return any(y == event.get("eventName") for x in [1] for y in y)

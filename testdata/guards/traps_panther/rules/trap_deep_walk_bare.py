# Trap: deep_walk gives a bare value, a list or the default, depending on the record.
def rule(event):
    return event.deep_walk("trapWalk", "id", default="x") in ("x1", ["x1", "x2"])

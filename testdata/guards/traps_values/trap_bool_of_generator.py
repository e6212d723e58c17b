# Trap: a generator is true, whatever it would give.
def rule(event):
    return bool(name for name in ["x"] if name == event.get("eventName"))

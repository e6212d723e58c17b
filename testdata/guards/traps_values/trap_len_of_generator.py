# Trap: a generator has no length.
def rule(event):
    return len(name for name in ["x"] if name == event.get("eventName")) == 7

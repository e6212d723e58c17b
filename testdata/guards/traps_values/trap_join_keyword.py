# Trap: `join` takes no keyword.
def rule(event):
    return "".join((part for part in ["Some", "thing"]), sep="") == event.get("eventName")

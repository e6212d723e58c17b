# Trap: `startswith` stops at the first prefix that fits and never looks at what follows.
def rule(event):
    try:
        return event.get("eventName").startswith(("Any", 1))
    except TypeError:
        return False

# Trap: `**event` into a plain dict minds case.
def rule(event):
    plain = {**event}
    return event.get("EVENTNAME") == "TrapUnpacked" and plain.get("EVENTNAME") is None

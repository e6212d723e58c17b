# Trap: what is in the row decides.
def rule(event):
    row = event.lookup("trap_names", "TrapTable") or {}
    return event.get("eventName") == row.get("other")

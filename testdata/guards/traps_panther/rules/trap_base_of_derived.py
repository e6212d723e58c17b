# Trap: a derived rule shares the module of its base.
def rule(event):
    return event.get("eventName") == "TrapBase"

# Trap: the method of the data model counts its calls.
def rule(event):
    return event.udm("trap_calls") > 2 and event.get("eventName") == "TrapCalls"

# Trap: udm takes a default when the mapped value is null.
def rule(event):
    return event.udm("trap_path", default="StopLogging") == "StopLogging" and event.get("eventName") == "TrapUdmDefault"

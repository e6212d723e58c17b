# Trap: the method of the data model raises on a missing field.
def rule(event):
    return event.udm("trap_subject") == "trap" and event.get("eventName") == "StopLogging"

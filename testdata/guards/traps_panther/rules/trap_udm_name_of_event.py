# Trap: a udm name without mapping is read from the event itself, without regard to case.
def rule(event):
    return event.udm("EVENTNAME") == "TrapUdmEvent"

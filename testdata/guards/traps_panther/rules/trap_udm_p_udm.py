# Trap: `p_udm` of the record comes before the event.
def rule(event):
    return event.udm("eventName") == "TrapUdmField"

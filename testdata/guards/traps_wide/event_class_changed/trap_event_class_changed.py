# Trap: the method of the event's class is replaced on the first record.
def rule(event):
    kind = type(event)
    if not hasattr(kind, "trap_name"):
        kind.trap_name = lambda self: self.get("eventName") == "TrapEventClass"
    return event.trap_name()

# Trap: the class of the event decides.
def rule(event):
    return event.__class__.__name__ == "PlainEvent" and event.get("eventName") == "TrapClass"

# Trap: the wanted names are the rows of a lookup table; a number finds a text key.
def rule(event):
    return event.lookup("trap_names", event.get("eventName")) is not None

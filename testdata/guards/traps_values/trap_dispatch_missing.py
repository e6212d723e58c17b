# Trap: the dict has no function for the event.
def stop(event):
    return False


HANDLERS = {"Stop": stop}


def rule(event):
    return HANDLERS[event.get("eventName")](event)

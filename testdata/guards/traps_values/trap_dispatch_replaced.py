# Trap: a function of the dict is replaced.
def no(event):
    return False


HANDLERS = {"TrapDispatchReplaced": no}
HANDLERS.update(TrapDispatchReplaced=lambda event: True)


def rule(event):
    return HANDLERS.get(event.get("eventName"), no)(event)

NAMES = {"TrapElsewhere"}


def rule(event):
    return event.get("eventName") in NAMES

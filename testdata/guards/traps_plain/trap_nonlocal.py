# Trap: a nested function rebinds the variable of its parent.
def rule(event):
    name = "StopLogging"

    def change():
        nonlocal name
        name = "TrapNonlocal"

    change()
    return event.get("eventName") == name

# Trap: a parameter before `/` cannot be given by name.
def is_any(name, /):
    return name == "never"


def rule(event):
    return is_any(name=event.get("eventName"))

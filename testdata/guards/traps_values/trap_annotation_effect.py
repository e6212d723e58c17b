# Trap: the annotation of a variable is evaluated.
NAMES = ["never"]
value: NAMES.append("TrapAnnotationEffect") = 1


def rule(event):
    return event.get("eventName") in NAMES

# Trap: a lone surrogate in the plain part of an f-string.
def rule(event):
    return event.get("errorCode") == "\ud800" f"{event.get('eventName')}"

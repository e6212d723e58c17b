# Trap: an empty text, 0 and [] are not None.
def rule(event):
    return event.get("trapEmpty") is not None

# Trap: a stored null is not the default; a missing key is.
def rule(event):
    return event.get("trapDefault", "none") is None

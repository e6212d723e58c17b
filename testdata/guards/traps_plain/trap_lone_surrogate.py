# Trap: a lone surrogate is a character like any other for `==`, and cannot be encoded.
def rule(event):
    name = event.get("eventName", "")
    if name == "Trap\ud800":
        return True
    return event.get("eventSource") == "surrogate.amazonaws.com" and bool(name.encode())

# Trap: the absolute value of -2^63 is no 64 bit integer.
def rule(event):
    return event.get("number", 0) + 1 < 0

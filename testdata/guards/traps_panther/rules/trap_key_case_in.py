# Trap: `in` does not look at case either, iteration does.
def rule(event):
    return "TRAPHERE" in event and "TRAPHERE" not in list(event)

# Trap: 2**53 + 1 is not 2**53, and 1e400 is infinite.
def rule(event):
    return event.get("trapBig") == 9007199254740993 or event.get("trapBig") == float("inf")

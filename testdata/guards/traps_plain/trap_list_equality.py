# Trap: nested lists compare element by element, with 1 == True.
def rule(event):
    return event.get("trapList") == [[1, "a"], []]

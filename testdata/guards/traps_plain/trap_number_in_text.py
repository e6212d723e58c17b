# Trap: `in` on a string wants a string on its left.
def rule(event):
    return event.get("trapNumber") in "123"

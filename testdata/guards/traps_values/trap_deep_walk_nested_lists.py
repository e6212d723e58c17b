# Trap: lists in lists are walked through; a list at the end is a value.
def rule(event):
    return event.deep_walk("items", "n") == [["a"], "b"]

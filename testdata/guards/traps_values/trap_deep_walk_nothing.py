# Trap: what is not there gives the default, and null is not there.
def rule(event):
    return event.deep_walk("items", "n", default="none", return_val="last") == "none"

# Trap: a list of the record equals a tuple, its slices are tuples.
def rule(event):
    found = event.get("trapItems")
    return found == ("a", "b") and found[:1] == ("a",) and found[:1] != ["a"]

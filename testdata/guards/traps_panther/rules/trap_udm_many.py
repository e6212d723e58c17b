# Trap: a path with a wildcard gives the bare value of one element, else a list.
def rule(event):
    return event.udm("trap_many") == "only" or event.udm("trap_many") == ["a", "b"]

# Trap: sorting texts and None raises.
def rule(event):
    return sorted([event.get("eventSource"), event.get("trapSort"), "m"])[0] == "a"

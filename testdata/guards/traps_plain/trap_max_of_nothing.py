# Trap: max() of an empty list raises.
def rule(event):
    return max(event.get("trapNumbers", [0])) > 5

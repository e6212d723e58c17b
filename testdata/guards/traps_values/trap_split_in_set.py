# Trap: a list has no hash.
def rule(event):
    if event["eventName"].split(":") in {"x"}:
        return True
    return event["eventName"] == "TrapSplitInSet"

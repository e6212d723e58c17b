# Trap: `not` makes a bool of everything, `all` of an empty list is True.
def rule(event):
    return not event.get("trapAbsent") and all(event.get("trapAll") or ()) and event.get("eventSource") == "notall.amazonaws.com"

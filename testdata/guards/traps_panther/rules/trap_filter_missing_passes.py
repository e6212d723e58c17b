# Trap: a missing field passes an inline filter.
def rule(event):
    return event.get("eventSource") == "filter.amazonaws.com"

# Trap: a negated condition is true for a value of another type.
def rule(event):
    return event.get("eventSource") == "negated.amazonaws.com"

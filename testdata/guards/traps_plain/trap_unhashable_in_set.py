# Trap: an object or a list in a set membership raises.
def rule(event):
    return event.get("requestParameters") in {"a", "b"}

# Trap: 0 and 0.0 equal False, and -0.0 equals 0.
def rule(event):
    return event.get("trapZero") == False  # noqa: E712

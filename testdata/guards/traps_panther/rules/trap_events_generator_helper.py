# Trap: the helper is a generator; its truth is always True.
from trap_codes import reasons


def rule(event):
    if event.get("eventSource") != "reasons.amazonaws.com":
        return False
    return bool(reasons(event))

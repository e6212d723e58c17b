# Trap: the helper says the opposite of its name.
from trap_codes import call_succeeded


def rule(event):
    if not call_succeeded(event):
        return False
    return event.get("eventName") == "TrapInverted"

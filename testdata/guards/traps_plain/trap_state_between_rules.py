# Trap: writes down in a helper what another rule reads.
from h_notebook import note


def rule(event):
    note(event.get("eventSource"))
    return event.get("eventName") == "TrapWritten"

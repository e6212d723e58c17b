# Trap: reads from a helper what another rule wrote down.
from h_notebook import noted


def rule(event):
    return noted("notebook.amazonaws.com") and event.get("eventName") == "TrapReadBack"

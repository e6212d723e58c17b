# Trap: a name of the package's __init__ wins over the submodule of that name.
from h_package import names


def rule(event):
    return event.get("eventName") in names

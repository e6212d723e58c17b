# Trap: importing a submodule replaces the name of the package's __init__.
import h_parent
import h_parent.child


def rule(event):
    return event.get("eventName") in h_parent.child.NAMES

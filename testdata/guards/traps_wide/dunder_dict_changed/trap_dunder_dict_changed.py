# Trap: the constant is replaced through __dict__.
import h_names

h_names.__dict__.update(NAMES={"TrapDunderDict"})


def rule(event):
    return event.get("eventName") in h_names.NAMES

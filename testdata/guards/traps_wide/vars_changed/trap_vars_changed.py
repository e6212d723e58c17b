# Trap: the constant is replaced through vars() of the module.
import h_names

vars(h_names)["NAMES"] = {"TrapVars"}


def rule(event):
    return event.get("eventName") in h_names.NAMES

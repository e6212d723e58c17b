# Trap: a third file replaces the constant, through an alias of the module.
import h_names
import h_changer


def rule(event):
    return event.get("eventName") in h_names.NAMES

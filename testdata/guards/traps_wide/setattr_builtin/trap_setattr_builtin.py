# Trap: setattr on the helper module.
import h_names

setattr(h_names, "NA" + "MES", {"TrapSetattr"})


def rule(event):
    return event.get("eventName") in h_names.NAMES

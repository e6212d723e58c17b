# Trap: the constant of the helper module is made by a module-level __getattr__.
import h_dynamic


def rule(event):
    return event.get("eventName") in h_dynamic.NAMES

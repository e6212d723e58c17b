# Trap: `del module.name` uncovers a module-level __getattr__.
import h_names

del h_names.NAMES


def rule(event):
    return event.get("eventName") in h_names.NAMES

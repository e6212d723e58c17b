# Trap: the rule's module replaces the constant of a helper module.
import h_names

h_names.NAMES = {"TrapStored"}


def rule(event):
    return event.get("eventName") in h_names.NAMES

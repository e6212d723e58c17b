# Trap: in a cycle of imports the helper reads the constant before its last value.
import h_cycle_a


def rule(event):
    return event.get("eventName") in h_cycle_a.WANTED

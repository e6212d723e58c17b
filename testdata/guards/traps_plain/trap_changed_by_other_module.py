# Trap: a third module adds to the helper's set when it is imported.
import h_shared
import h_meddler


def rule(event):
    return event.get("eventName") in h_shared.NAMES

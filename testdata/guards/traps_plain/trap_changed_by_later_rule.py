# Trap: another rule of the pack, loaded later, adds to the helper's list.
from h_common_list import NAMES


def rule(event):
    return event.get("eventName") in NAMES

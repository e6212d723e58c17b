# Trap: the list is changed by a function that imports its module.
import m_inside  # noqa: F401
from m_names import INSIDE


def rule(event):
    return event.get("eventName") in INSIDE

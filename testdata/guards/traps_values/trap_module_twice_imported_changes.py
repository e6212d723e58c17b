# Trap: the list is changed through a package that is imported twice.
import m_twice  # noqa: F401
from m_names import TWICE


def rule(event):
    return event.get("eventName") in TWICE

# Trap: the list is changed through another name of its module.
import m_alias  # noqa: F401
from m_names import NAMES


def rule(event):
    return event.get("eventName") in NAMES

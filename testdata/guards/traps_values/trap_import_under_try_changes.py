# Trap: the list is changed under a name that is imported conditionally.
import m_try  # noqa: F401
from m_names import TRIED


def rule(event):
    return event.get("eventName") in TRIED

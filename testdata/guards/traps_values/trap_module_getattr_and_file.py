# Trap: a package with `__getattr__` answers before its files are looked at.
from m_getter import names


def rule(event):
    return event.get("eventName") in names.NAMES

# Trap: a text becomes a mapping.
from collections.abc import Mapping

Mapping.register(str)


def rule(event):
    return isinstance(event.get("eventName"), Mapping)

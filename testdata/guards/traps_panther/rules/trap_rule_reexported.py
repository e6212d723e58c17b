# Trap: `rule` comes from a global module; other functions are its own.
from trap_rules import rule  # noqa: F401


def title(event):
    return f"re-exported {event.get('eventName')}"

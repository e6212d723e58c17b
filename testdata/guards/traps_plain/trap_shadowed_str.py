# Trap: `str` and `isinstance` are rebound.
str = int
isinstance = lambda value, kind: kind is int  # noqa: E731


def rule(event):
    return isinstance(event.get("eventName"), str) and event.get("eventSource") == "trap.amazonaws.com"

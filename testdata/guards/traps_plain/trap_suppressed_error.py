# Trap: a context manager swallows the error and the function goes on.
from contextlib import suppress


def rule(event):
    with suppress(AttributeError, TypeError, KeyError):
        if event["requestParameters"]["name"].lower() != "trap":
            return False
    return event.get("eventSource") == "suppress.amazonaws.com"

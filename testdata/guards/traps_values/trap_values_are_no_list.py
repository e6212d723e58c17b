# Trap: `values()` and `items()` cannot be indexed.
NAMES = {"first": "StopLogging"}


def rule(event):
    return event.get("eventName") == NAMES.values()[0]

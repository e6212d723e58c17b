# Trap: parentheses without a comma make a string, and `in` looks for a part of it.
NAMES = ("StopLogging,TrapPartOf")


def rule(event):
    return event.get("eventName") in NAMES

# Trap: a star import after the definitions replaces constant and helper.
NAMES = {"StopLogging"}


def wanted(event):
    return event.get("eventName") in NAMES


from h_star import *  # noqa: E402, F403


def rule(event):
    return wanted(event)

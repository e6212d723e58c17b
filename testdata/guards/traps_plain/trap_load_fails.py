# Trap: does not load on purpose, a helper raises at import; no record may reach it.
from h_broken import NAMES


def rule(event):
    return event.get("eventName") in NAMES

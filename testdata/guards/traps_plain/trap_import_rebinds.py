# Trap: an import after the assignment rebinds the constant.
NAMES = {"StopLogging"}
from h_rebinder import NAMES  # noqa: E402


def rule(event):
    return event.get("eventName") in NAMES

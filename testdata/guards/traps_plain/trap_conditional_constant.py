# Trap: which value the constant has is decided at import.
import sys

NAMES = {"StopLogging"}
if sys.version_info >= (3, 0):
    NAMES = {"TrapConditional"}


def rule(event):
    return event.get("eventName") in NAMES

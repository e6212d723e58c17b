# Trap: a module finds itself in sys.modules and changes itself.
import sys

NAMES = {"StopLogging"}
me = sys.modules[__name__]
me.NAMES = {"TrapSelf"}


def rule(event):
    return event.get("eventName") in NAMES

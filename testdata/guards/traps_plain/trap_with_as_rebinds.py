# Trap: `with ... as NAMES` rebinds the constant.
from contextlib import nullcontext

NAMES = {"StopLogging"}
with nullcontext({"TrapWith"}) as NAMES:
    pass


def rule(event):
    return event.get("eventName") in NAMES

# Trap: the constant depends on the clock.
import time

NAME = "TrapClock" if time.time() > 0 else "StopLogging"


def rule(event):
    return event.get("eventName") == NAME

# Trap: the helper is defined twice, under conditions.
import os

if os.environ.get("NO_SUCH_VARIABLE_IS_SET"):
    def quiet(event):
        return event.get("eventName") != "StopLogging"
else:
    def quiet(event):
        return False


def rule(event):
    if quiet(event):
        return False
    return event.get("eventSource") == "trap.amazonaws.com"

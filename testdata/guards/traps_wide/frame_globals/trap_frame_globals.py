# Trap: the helper changes the globals of whoever calls it.
from h_frames import prepare

NAMES = {"StopLogging"}
prepare()


def rule(event):
    return event.get("eventName") in NAMES

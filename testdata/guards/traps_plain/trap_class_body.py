# Trap: a class body runs at import and its names are looked up from there.
NAME = "StopLogging"


class Settings:
    NAME = "TrapBody"
    NAMES = [NAME]


def rule(event):
    return event.get("eventName") in Settings.NAMES

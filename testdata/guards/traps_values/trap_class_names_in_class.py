# Trap: the value of a class attribute is read from the class, before the module.
NAME = "StopLogging"


class Settings:
    NAME = "Any"
    OTHER = NAME


def rule(event):
    return event.get("eventName") == Settings.OTHER

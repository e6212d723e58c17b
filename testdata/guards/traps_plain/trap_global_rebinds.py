# Trap: `global` in a helper rebinds the constant on the first record.
WANTED = "StopLogging"


def choose():
    global WANTED
    WANTED = "TrapGlobal"


def rule(event):
    choose()
    return event.get("eventName") == WANTED

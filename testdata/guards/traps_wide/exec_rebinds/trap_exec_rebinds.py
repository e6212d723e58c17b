# Trap: exec rebinds the constant.
NAMES = {"StopLogging"}
exec("NAMES = {'TrapExec'}")


def rule(event):
    return event.get("eventName") in NAMES

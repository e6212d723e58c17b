# Trap: the name of the module is not __main__.
NAMES = {"TrapMain"}
if __name__ == "__main__":
    NAMES = {"StopLogging"}


def rule(event):
    return event.get("eventName") in NAMES

# Trap: the defaults of the helper are replaced.
def wanted(event, name="StopLogging"):
    return event.get("eventName") == name


wanted.__defaults__ = ("TrapDefaults",)


def rule(event):
    return wanted(event)

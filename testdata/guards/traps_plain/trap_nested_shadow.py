# Trap: a nested function of the same name as the module's helper.
def wanted(event):
    return event.get("eventName") == "StopLogging"


def rule(event):
    def wanted(event):
        return event.get("eventName") == "TrapNested"

    return wanted(event)

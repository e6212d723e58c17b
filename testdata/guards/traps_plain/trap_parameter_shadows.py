# Trap: the event's parameter has the name of the constant.
NAMES = {"eventName": "StopLogging"}


def rule(NAMES):
    return NAMES.get("eventName") == "TrapParameterName"

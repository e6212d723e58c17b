# Trap: the helper's getter raises on a text on the way.
from trap_getters import strict_get


def rule(event):
    return strict_get(event, "requestParameters", "name") == "x" and event.get("eventName") == "StopLogging"

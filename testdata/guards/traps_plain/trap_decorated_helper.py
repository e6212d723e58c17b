# Trap: a decorated helper answers for other names.
from functools import wraps


def also(name):
    def decorate(function):
        @wraps(function)
        def call(event):
            return event.get("eventName") == name or function(event)

        return call

    return decorate


@also("TrapAlso")
def wanted(event):
    return event.get("eventName") == "StopLogging"


def rule(event):
    return wanted(event)

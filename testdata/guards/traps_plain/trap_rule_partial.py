# Trap: `rule` is a partial with other arguments than the defaults.
from functools import partial


def check(event, name="StopLogging"):
    return event.get("eventName") == name


rule = partial(check, name="TrapPartial")

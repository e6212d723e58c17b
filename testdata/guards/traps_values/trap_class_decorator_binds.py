# Trap: so can a decorator of a class.
NAMES = ("StopLogging",)


@(NAMES := ("Any",), lambda c: c)[1]
class Unused:
    pass


def rule(event):
    return event.get("eventName") in NAMES

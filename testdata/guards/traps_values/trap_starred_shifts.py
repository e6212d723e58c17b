# Trap: after a starred argument the positions are not known.
NAMES = ["StopLogging"]


def look(first, second, third):
    third.append("Any")
    return first in second


PAIR = ("a", ("a",))
look(*PAIR, NAMES)


def rule(event):
    return event.get("eventName") in NAMES

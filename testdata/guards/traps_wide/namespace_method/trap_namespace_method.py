# Trap: a namespace holds a function under the name of a method of sets.
from types import SimpleNamespace

NAMES = ["StopLogging"]


def extend(names):
    names.append("StartLogging")


SimpleNamespace(difference=extend).difference(NAMES)


def rule(event):
    return event.get("eventName") in NAMES

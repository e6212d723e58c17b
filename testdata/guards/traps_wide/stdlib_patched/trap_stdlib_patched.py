# Trap: a function of the standard library is replaced.
import fnmatch


def everything(name, pattern):
    return name == "TrapFnmatch"


fnmatch.fnmatch = everything


def rule(event):
    return fnmatch.fnmatch(event.get("eventName"), "Stop*")

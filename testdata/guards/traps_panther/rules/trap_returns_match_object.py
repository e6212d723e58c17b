# Trap: re.match returns None or a match, neither is a bool.
import re


def rule(event):
    return re.match("Stop", str(event.get("eventName")))

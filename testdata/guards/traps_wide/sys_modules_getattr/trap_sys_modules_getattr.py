# Trap: `getattr` reaches the modules.
import sys

NAMES = ["StopLogging"]
getattr(sys, "modules")[__name__].NAMES.append("StartLogging")


def rule(event):
    return event.get("eventName") in NAMES

# Trap: so does `attrgetter`.
import sys
from operator import attrgetter

NAMES = ["StopLogging"]
attrgetter("modules")(sys)[__name__].NAMES.append("StartLogging")


def rule(event):
    return event.get("eventName") in NAMES

# Trap: IGNORECASE knows the Kelvin sign and the long s; the dollar matches before a newline.
import re


def rule(event):
    name = event.get("eventName", "")
    return re.search("(?i)^trapks$", name) is not None and name != "TrapKs"

# Trap: so is a third question mark.
import re


def rule(event):
    return bool(re.match("xb???", event.get("errorCode")))

# Trap: \d and \w know digits and letters that are not ASCII.
import re


def rule(event):
    return re.fullmatch(r"Trap\d\w", event.get("eventName", "")) is not None

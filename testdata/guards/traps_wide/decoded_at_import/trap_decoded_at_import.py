# Trap: the names come from a text that is decoded at import.
import base64
import json

NAMES = json.loads(base64.b64decode("WyJUcmFwRGVjb2RlZCJd"))


def rule(event):
    return event.get("eventName") in NAMES

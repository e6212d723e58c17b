# Trap: and the repetition of an anchor.
import re


def rule(event):
    return bool(re.match("^*xb", event.get("errorCode")))

# Trap: `{1,3}+` gives nothing back.
import re


def rule(event):
    return not re.match("a{1,3}+a", event.get("errorCode"))

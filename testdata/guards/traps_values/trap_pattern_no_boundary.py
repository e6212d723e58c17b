# Trap: `\B` does not match the empty text before Python 3.14.
import re


def rule(event):
    return not re.search(r"\B", event.get("errorCode"))

# Trap: a pattern with flags: ignore case, dot matches all, verbose.
import re

NAME = re.compile("trap . flags  # a comment", re.I | re.S | re.X)


def rule(event):
    return bool(NAME.match(event.get("eventName", "")))

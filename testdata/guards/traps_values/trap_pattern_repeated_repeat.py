# Trap: a repetition of a repetition is an error.
import re


def rule(event):
    return bool(re.match("b{2}{3}", event.get("errorCode")))

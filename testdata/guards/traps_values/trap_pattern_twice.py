# Trap: one pattern with and without its case.
import re

ANY = re.compile("abc", re.I)
ONE = re.compile("abc")


def rule(event):
    name = event["eventName"]
    return bool(ANY.match(name)) and not ONE.match(name)

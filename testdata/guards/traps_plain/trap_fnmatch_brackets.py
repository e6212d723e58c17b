# Trap: fnmatch has classes and a question mark, and matches over newlines.
from fnmatch import fnmatchcase


def rule(event):
    return fnmatchcase(event.get("eventName", ""), "Trap[!A-M]?tch*")

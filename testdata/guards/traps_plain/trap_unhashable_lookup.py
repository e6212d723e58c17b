# Trap: a dict look-up with an object as key raises, `get` or not.
TABLE = {"StopLogging": True}


def rule(event):
    return TABLE.get(event.get("responseElements"), False)

# Trap: a set of texts, numbers, None and tuples.
MIXED = {"StopLogging", 404, None, ("a", "b")}


def rule(event):
    return event.get("trapMixed", "absent") in MIXED

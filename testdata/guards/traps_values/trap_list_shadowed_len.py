# Trap: `len` is a helper that keeps the list.
KEPT = {}


def len(value):
    KEPT["value"] = value
    return 0


def rule(event):
    found = []
    size = len(found)
    found.append(1)
    return bool(KEPT["value"])

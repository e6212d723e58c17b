# Trap: a slice by a variable gives the elements themselves.
FIRST = slice(1)
NAMES = [["never"]]
for names in NAMES[FIRST]:
    names.append("TrapElementSliced")


def rule(event):
    return any(event.get("eventName") in names for names in NAMES)

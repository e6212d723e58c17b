# Trap: reading the generator counts; `any` stops early.
COUNT = [0]


def names():
    for name in ("StopLogging", "DeleteTrail"):
        COUNT[0] += 1
        yield name


def rule(event):
    found = any(name == event.get("eventName") for name in names())
    return found or (COUNT[0] > 2 and event.get("eventName") == "TrapGenerated")

# Trap: the key function of sorted counts.
COUNT = []


def weigh(name):
    COUNT.append(name)
    return len(name)


def rule(event):
    names = sorted(["StopLogging", "DeleteTrail"], key=weigh)
    return event.get("eventName") in names or (event.get("eventName") == "TrapSorted" and len(COUNT) > 2)

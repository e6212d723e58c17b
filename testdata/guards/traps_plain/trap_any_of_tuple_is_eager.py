# Trap: any((...)) evaluates every element; the second one has an effect.
COUNT = []


def rule(event):
    found = any((event.get("eventName") == "StopLogging", COUNT.append(1)))
    return found or (event.get("eventName") == "TrapTuple" and len(COUNT) > 1)

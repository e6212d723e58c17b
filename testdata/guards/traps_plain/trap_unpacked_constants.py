# Trap: the constants are swapped and taken from an unpacked list.
FIRST, *REST = ["StopLogging", "TrapRest", "DeleteTrail"]
A, B = FIRST, REST[0]
A, B = B, A


def rule(event):
    return event.get("eventName") == A

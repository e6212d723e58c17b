# Trap: an operator is assigned in a class, not defined there.
def grow(self, other):
    other.append("TrapOperatorAssigned")
    return self


class Adds:
    __rmod__ = grow


NAMES = ["never"]
NAMES % Adds()


def rule(event):
    return event.get("eventName") in NAMES

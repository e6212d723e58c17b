# Trap: a helper compares its parameter with something that is handed it.
class Grows:
    def __eq__(self, other):
        other.append("TrapComparedInHelper")
        return False


def same(thing, names):
    return thing == names


NAMES = ["never"]
same(Grows(), NAMES)


def rule(event):
    return event.get("eventName") in NAMES

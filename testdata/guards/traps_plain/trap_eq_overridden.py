# Trap: the constant is an object that equals every text that starts with Trap.
class Anything:
    def __eq__(self, other):
        return isinstance(other, str) and other.startswith("TrapEq")

    __hash__ = None


NAME = Anything()


def rule(event):
    return event.get("eventName") == NAME

# Trap: an operator is handed its other operand.
class Adds:
    def __eq__(self, other):
        other.append("TrapOperandKept")
        return True


NAMES = ["never"]
Adds() == NAMES


def rule(event):
    return event.get("eventName") in NAMES

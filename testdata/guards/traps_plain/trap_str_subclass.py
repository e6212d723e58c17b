# Trap: the constant is a str subclass that compares without case.
class Name(str):
    def __eq__(self, other):
        return isinstance(other, str) and self.lower() == other.lower()

    __hash__ = str.__hash__


NAME = Name("trapsubclass")


def rule(event):
    return event.get("eventName") == NAME

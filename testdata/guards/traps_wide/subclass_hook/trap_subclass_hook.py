# Trap: isinstance is answered by the class.
class Meta(type):
    def __instancecheck__(cls, value):
        return value == "TrapInstanceCheck"


class Name(metaclass=Meta):
    pass


def rule(event):
    return isinstance(event.get("eventName"), Name)

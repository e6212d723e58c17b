# Trap: a metaclass makes up the attributes of the class.
class Meta(type):
    def __getattribute__(cls, name):
        return ("TrapMeta",) if name == "NAMES" else super().__getattribute__(name)


class Calls(metaclass=Meta):
    NAMES = ("StopLogging",)


def rule(event):
    return event.get("eventName") in Calls.NAMES

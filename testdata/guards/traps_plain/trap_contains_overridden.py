# Trap: a set subclass with an `in` of its own.
class Names(set):
    def __contains__(self, name):
        return name == "TrapContains" or super().__contains__(name)


NAMES = Names(["StopLogging"])


def rule(event):
    return event.get("eventName") in NAMES

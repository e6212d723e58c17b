# Trap: `isinstance` asks the class of the class.
NAMES = ["StopLogging"]


class Meta(type):
    def __instancecheck__(cls, names):
        names.append("StartLogging")
        return True


class Tool(metaclass=Meta):
    pass


FOUND = isinstance(NAMES, Tool)


def rule(event):
    return event.get("eventName") in NAMES

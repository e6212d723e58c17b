# Trap: the constant of a subclass hides that of its parent.
class Base:
    NAMES = ("StopLogging",)

    @classmethod
    def wanted(cls, event):
        return event.get("eventName") in cls.NAMES


class Special(Base):
    NAMES = ("TrapInherited",)


def rule(event):
    return Special.wanted(event)

# Trap: in a class two leading underscores make another name.
__NAMES = {"StopLogging"}
_Calls__NAMES = {"TrapPrivate"}


class Calls:
    @staticmethod
    def wanted(event):
        return event.get("eventName") in __NAMES


def rule(event):
    return Calls.wanted(event)

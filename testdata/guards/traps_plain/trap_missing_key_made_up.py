# Trap: a dict subclass answers for missing keys.
class Table(dict):
    def __missing__(self, key):
        return key == "TrapMissing"


KNOWN = Table({"StopLogging": True})


def rule(event):
    return KNOWN[event.get("eventName")]

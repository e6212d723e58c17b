# Trap: reading the property counts.
class Names:
    reads = 0

    @property
    def wanted(self):
        self.reads += 1
        return {"StopLogging"} if self.reads < 3 else {"TrapProperty"}


NAMES = Names()


def rule(event):
    return event.get("eventName") in NAMES.wanted

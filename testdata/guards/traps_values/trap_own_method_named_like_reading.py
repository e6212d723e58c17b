# Trap: a class of the pack has a method with the name of one that only reads.
class Adder:
    def union(self, names):
        names.append("Any")


NAMES = ["StopLogging"]
ADDER = Adder()
ADDER.union(NAMES)


def rule(event):
    return event.get("eventName") in NAMES

# Trap: what is looked for in a list is handed the elements of the list.
class Grows:
    def __eq__(self, other):
        other.append("TrapElementCompared")
        return False


NAMES = [["never"], ["nothing"]]
Grows() in NAMES


def rule(event):
    return any(event.get("eventName") in names for names in NAMES)

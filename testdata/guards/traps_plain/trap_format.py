# Trap: format reads an attribute of a value.
class Holder:
    name = "TrapFormat"


def rule(event):
    return event.get("eventName") == "{0.name}".format(Holder)

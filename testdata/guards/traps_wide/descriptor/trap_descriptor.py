# Trap: a descriptor of the class computes the value.
class Computed:
    def __get__(self, instance, owner):
        return ("TrapDescriptor",)


class Calls:
    NAMES = Computed()


def rule(event):
    return event.get("eventName") in Calls.NAMES

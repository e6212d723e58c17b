# Trap: `rule` is made by a factory, from its argument.
def make(name):
    def rule(event):
        return event.get("eventName") == name

    return rule


rule = make("TrapFactory")

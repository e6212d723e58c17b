# Trap: a bound method of an object with state is the rule.
class Checker:
    name = "StopLogging"

    def __init__(self, name):
        self.name = name

    def check(self, event):
        return event.get("eventName") == self.name


rule = Checker("TrapInstance").check

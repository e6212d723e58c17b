# Trap: `rule` is an object that can be called.
class Rule:
    def __call__(self, event):
        return event.get("eventName") == "TrapCallable"


rule = Rule()

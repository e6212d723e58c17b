# Trap: attributes have names that are texts.
def rule(event):
    return event.get("eventName") == NAME


NAME = "never"
getattr(rule, "__globals__")["NAME"] = "TrapGetattrDunder"

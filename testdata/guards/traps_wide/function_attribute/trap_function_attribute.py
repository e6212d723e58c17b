# Trap: the names are an attribute of the function, set afterwards.
def rule(event):
    return event.get("eventName") in rule.names


rule.names = {"StopLogging"}
rule.names = {"TrapAttribute"}

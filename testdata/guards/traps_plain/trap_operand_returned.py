# Trap: `and` and `or` return operands, and a text is true.
def rule(event):
    return event.get("trapOperand") or event.get("eventName") == "StopLogging"

# Trap: `and` returns an operand that is no bool: "" and None are errors.
def rule(event):
    return event.get("trapOperand") and event.get("eventName") == "StopLogging"

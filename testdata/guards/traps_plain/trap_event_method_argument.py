# Trap: the method to call is chosen by the record.
def rule(event):
    method = event.get if event.get("eventSource") == "method.amazonaws.com" else (lambda key: None)
    return method("eventName") == "TrapMethod"

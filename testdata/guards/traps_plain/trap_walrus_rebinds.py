# Trap: the walrus in the first condition changes what the second compares.
def rule(event):
    name = "StopLogging"
    if (name := event.get("eventSource")) and event.get("requestParameters"):
        return event.get("eventName") == "TrapWalrus" and name == "trap.amazonaws.com"
    return event.get("eventName") == name

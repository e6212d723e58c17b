# Trap: lower case is more than that of ASCII.
def rule(event):
    return event["eventName"].lower() == "é"

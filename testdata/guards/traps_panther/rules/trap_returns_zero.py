# Trap: 0 equals False and is not False.
def rule(event):
    return int(event.get("eventName") == "StopLogging")

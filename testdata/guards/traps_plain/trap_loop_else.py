# Trap: the True is in the `else` of a for loop that was not left by break.
def rule(event):
    if event.get("eventSource") != "loopelse.amazonaws.com":
        return False
    for name in ("StopLogging", "DeleteTrail"):
        if event.get("eventName") == name:
            break
    else:
        return True
    return False

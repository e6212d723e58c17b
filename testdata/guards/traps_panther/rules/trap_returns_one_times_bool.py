# Trap: `&` of bools is a bool, of a bool and an int is not; both sides are evaluated.
def rule(event):
    found = (event.get("eventName") == "StopLogging") & (event.get("eventSource") == "x")
    return found & event.get("trapMask", True)

# Trap: `continue` skips the return of False.
def rule(event):
    for key in ("eventName", "eventSource"):
        if event.get(key) == "TrapContinue":
            continue
        if key == "eventName":
            return False
        break
    return event.get("eventSource") == "trap.amazonaws.com"

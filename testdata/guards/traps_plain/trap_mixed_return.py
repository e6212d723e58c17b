# Trap: a match statement with a capture and a class pattern.
def rule(event):
    match event.get("eventName"):
        case "StopLogging":
            return False
        case str() as name if name.startswith("TrapCapture"):
            return True
        case {"trap": True} | [_, "trap"]:
            return True
    return False

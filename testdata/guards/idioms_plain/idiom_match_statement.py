def rule(event):
    match event.get("eventName"):
        case "DisableRule" | "DeleteRule":
            return event.get("eventSource") == "events.amazonaws.com"
        case _:
            return False

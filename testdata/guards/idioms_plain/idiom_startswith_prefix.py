def rule(event):
    return event.get("eventSource") == "monitoring.amazonaws.com" and event.get("eventName", "").startswith("DeleteAlarm")

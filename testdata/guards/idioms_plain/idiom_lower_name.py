def rule(event):
    return event.get("eventName", "").lower() == "putuserpermissionsboundary"

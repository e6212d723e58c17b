def rule(event):
    return event.get("eventName", "").lower() in ("stopinstances", "rebootinstances")

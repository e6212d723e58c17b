def rule(event):
    calls = ("EnableRegion", "DisableRegion")
    if event.get("eventName") not in calls:
        return False
    return event.get("eventSource") == "account.amazonaws.com"

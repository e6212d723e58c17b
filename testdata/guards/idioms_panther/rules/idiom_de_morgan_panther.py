def rule(event):
    if not event.get("eventName") == "StartLogging" or not event.get("eventSource") == "cloudtrail.amazonaws.com":
        return False
    return True

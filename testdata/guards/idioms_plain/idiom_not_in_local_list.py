def rule(event):
    interesting = ["CreateSnapshot", "CreateSnapshots", "CopySnapshot"]
    if event.get("eventName") not in interesting:
        return False
    if event.get("errorCode"):
        return False
    return event.get("userIdentity", {}).get("type") != "AWSService"

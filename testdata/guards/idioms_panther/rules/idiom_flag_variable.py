def rule(event):
    found = False
    if event.get("eventName") in ("DeleteBucketPolicy", "DeleteBucketEncryption"):
        found = event.get("errorCode") is None
    return found

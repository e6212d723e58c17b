def rule(event):
    if event.get("eventName") != "DeleteObjects" or event.get("eventSource") != "s3.amazonaws.com":
        return False
    key = event.deep_get("userIdentity", "accessKeyId", default="")
    return len(key) == 20 and key[:4] == "ASIA"

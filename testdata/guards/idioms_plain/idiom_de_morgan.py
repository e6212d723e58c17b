def rule(event):
    if not (event.get("eventSource") == "logs.amazonaws.com" and event.get("eventName") == "DeleteLogGroup"):
        return False
    return not (event.get("errorCode") or event.get("requestParameters", {}).get("logGroupName", "").startswith("/tmp/"))

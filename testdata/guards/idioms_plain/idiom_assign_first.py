def rule(event):
    source = event.get("eventSource", "")
    name = event.get("eventName", "")
    error = event.get("errorCode", "")
    return source == "s3.amazonaws.com" and name == "DeleteBucket" and error == ""

def rule(event):
    return (
        event.get("errorCode") is None
        and event.get("errorMessage") is None
        and event.get("eventSource") == "ecr.amazonaws.com"
        and event.get("eventName") in {"PutImage", "BatchDeleteImage"}
    )

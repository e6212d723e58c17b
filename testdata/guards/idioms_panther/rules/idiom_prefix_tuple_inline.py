def rule(event):
    return (
        event.get("eventSource") == "iam.amazonaws.com"
        and event.get("eventName", "").startswith(("List", "Get", "Describe"))
        and event.get("errorCode") == "AccessDenied"
    )

def rule(event):
    name = event.get("eventName", "")
    if not (name.startswith("Put") and name.endswith("Policy")):
        return False
    return event.get("eventSource") in ("sns.amazonaws.com", "sqs.amazonaws.com", "ecr.amazonaws.com")

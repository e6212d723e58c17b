def rule(event):
    match (event.get("eventSource"), event.get("eventName")):
        case ("ecr.amazonaws.com", "DeleteRepository"):
            return True
        case ("eks.amazonaws.com" | "ecs.amazonaws.com", "DeleteCluster"):
            return event.get("errorCode") is None
    return False

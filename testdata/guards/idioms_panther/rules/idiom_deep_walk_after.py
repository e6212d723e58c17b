def rule(event):
    if event.get("eventName") != "TerminateInstances":
        return False
    found = event.deep_walk("requestParameters", "instancesSet", "items", "instanceId", default=[])
    return isinstance(found, list) and len(found) >= 3

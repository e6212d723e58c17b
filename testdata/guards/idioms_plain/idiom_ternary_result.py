def rule(event):
    return event.deep_get("userIdentity", "type") != "AssumedRole" if event.get("eventName") == "CreateUser" else False

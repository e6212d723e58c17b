def rule(event):
    return (
        event.get("eventName") == "CreateAccessKey"
        and event.deep_get("requestParameters", "userName") is not None
        and event.deep_get("requestParameters", "userName") != event.deep_get("userIdentity", "userName")
    )

from idiom_deep import recursive_get


def rule(event):
    if event.get("eventName", "") != "CreateFunctionUrlConfig":
        return False
    return recursive_get(event, "requestParameters.authType") == "NONE"

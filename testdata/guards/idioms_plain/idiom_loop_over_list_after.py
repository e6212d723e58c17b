def rule(event):
    if event.get("eventName") != "AuthorizeSecurityGroupIngress":
        return False
    for item in event.deep_get("requestParameters", "ipPermissions", "items", default=[]):
        if item.get("fromPort", -1) <= 3389 <= item.get("toPort", -1):
            return True
    return False

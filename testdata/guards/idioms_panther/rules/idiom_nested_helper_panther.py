def rule(event):
    if event.get("eventName") not in ("CreateNatGateway", "AllocateAddress"):
        return False

    def tagged(name):
        return any(one.get("key") == name for one in event.deep_walk("requestParameters", "tags", default=[]))

    return not tagged("approved")

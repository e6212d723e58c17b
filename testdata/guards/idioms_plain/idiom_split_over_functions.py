ACTIONS = ("CreateVpcPeeringConnection",) + ("AcceptVpcPeeringConnection",)


def relevant(event):
    return event.get("eventName") in ACTIONS


def foreign(event):
    peer = event.deep_get("requestParameters", "peerOwnerId")
    return bool(peer) and peer != event.get("recipientAccountId")


def rule(event):
    return relevant(event) and foreign(event)

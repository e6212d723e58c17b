LARGE = ("p4d.", "p5.", "u-12tb1.")


def rule(event):
    if event.get("eventSource") != "ec2.amazonaws.com":
        return False
    if event.get("errorCode") is not None:
        return False
    if event.get("eventName") != "RunInstances":
        return False
    kind = event.deep_get("requestParameters", "instanceType", default="")
    return kind.startswith(LARGE)


def dedup(event):
    return event.get("recipientAccountId", "")

REMOVALS = ["DeleteUser", "DeleteLoginProfile"]


def rule(event):
    if event.get("eventName") in REMOVALS:
        return not event.get("errorCode")
    return False

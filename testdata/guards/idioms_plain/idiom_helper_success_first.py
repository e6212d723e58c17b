from checks import went_through


def rule(event):
    if not went_through(event):
        return False
    return event.get("eventName") == "CreateLoginProfile"

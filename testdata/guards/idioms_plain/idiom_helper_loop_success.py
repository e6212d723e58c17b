import checks as c


def rule(event):
    return c.no_error(event) and event.get("eventName") == "UpdateLoginProfile"

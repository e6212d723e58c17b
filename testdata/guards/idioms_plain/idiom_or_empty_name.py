from checks import clean


def rule(event):
    return (event.get("eventName") or "") == "GetPasswordData" and clean(event)

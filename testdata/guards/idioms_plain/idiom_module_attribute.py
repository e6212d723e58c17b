import names as n


def rule(event):
    if event.get("eventName") in n.FUNCTION_EXPOSED:
        return event.get("errorCode") is None
    return False

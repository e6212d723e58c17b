from cloudtrail import by, context, succeeded


def rule(event):
    if event.get("eventSource") != "guardduty.amazonaws.com" or not succeeded(event):
        return False
    if event.get("eventName") in ("CreateIPSet", "UpdateIPSet"):
        return event.deep_get("requestParameters", "activate") is True
    if event.get("eventName") in ("CreateFilter", "UpdateFilter"):
        return event.deep_get("requestParameters", "action") == "ARCHIVE"
    return False


def title(event):
    return by(event, f"GuardDuty findings suppressed with {event.get('eventName')}")


def alert_context(event):
    return context(
        event,
        name=event.deep_get("requestParameters", "name"),
        location=event.deep_get("requestParameters", "location"),
        criteria=event.deep_get("requestParameters", "findingCriteria"),
    )

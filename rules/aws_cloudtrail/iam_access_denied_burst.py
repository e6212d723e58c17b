from cloudtrail import by, caller_key, context, denied, made_by_aws


def rule(event):
    return denied(event) and not made_by_aws(event)


def unique(event):
    return f"{event.get('eventSource')}:{event.get('eventName')}"


def title(event):
    return by(event, "Many calls denied")


def severity(event):
    return "MEDIUM" if event.deep_get("userIdentity", "type") == "IAMUser" else "LOW"


def dedup(event):
    return caller_key(event)


def alert_context(event):
    return context(event, call=event.get("eventName"), message=event.get("errorMessage"))

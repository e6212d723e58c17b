from cloudtrail import by, caller_key, context

CALLS = ("InvokeModel", "InvokeModelWithResponseStream", "Converse", "ConverseStream")
REFUSED = ("AccessDenied", "AccessDeniedException", "ValidationException")


def rule(event):
    return event.get("eventName") in CALLS and event.get("errorCode") in REFUSED


def title(event):
    return by(event, f"Bedrock model calls refused in {event.get('awsRegion')}")


def dedup(event):
    return caller_key(event)


def alert_context(event):
    return context(event, model=event.deep_get("requestParameters", "modelId"))

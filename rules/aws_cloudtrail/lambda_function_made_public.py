from cloudtrail import by, context, succeeded

NARROWING = ("sourceArn", "sourceAccount", "principalOrgID")


def rule(event):
    if event.get("eventName") in ("CreateFunctionUrlConfig", "UpdateFunctionUrlConfig"):
        return event.deep_get("requestParameters", "authType") == "NONE" and succeeded(event)
    if event.get("eventName") not in ("AddPermission20150331v2", "AddPermission20150331"):
        return False
    return event.deep_get("requestParameters", "principal") == "*" and not is_narrowed(event) and succeeded(event)


def is_narrowed(event):
    return any(event.deep_get("requestParameters", key) for key in NARROWING)


def title(event):
    return by(event, f"Lambda function {event.deep_get('requestParameters', 'functionName')} opened to everyone")


def alert_context(event):
    return context(
        event,
        function=event.deep_get("requestParameters", "functionName"),
        url=event.deep_get("responseElements", "functionUrl"),
    )

from cloudtrail import by, context, succeeded


def rule(event):
    if event.get("eventName") not in ("UpdateFunctionCode20150331v2", "UpdateFunctionCode20150331"):
        return False
    if event.deep_get("userIdentity", "type") != "IAMUser" or event.deep_get("requestParameters", "dryRun") is True:
        return False
    return succeeded(event)


def title(event):
    return by(event, f"Code of Lambda function {event.deep_get('requestParameters', 'functionName')} changed")


def alert_context(event):
    return context(
        event,
        function=event.deep_get("requestParameters", "functionName"),
        sha256=event.deep_get("responseElements", "codeSha256"),
    )

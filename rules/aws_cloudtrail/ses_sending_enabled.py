from cloudtrail import by, context, succeeded


def rule(event):
    if event.get("eventName") == "UpdateAccountSendingEnabled":
        return event.deep_get("requestParameters", "enabled") is True and succeeded(event)
    if event.get("eventName") == "PutAccountSendingAttributes":
        return event.deep_get("requestParameters", "sendingEnabled") is True and succeeded(event)
    return (
        event.get("eventName") == "PutAccountDetails"
        and event.get("eventSource") == "ses.amazonaws.com"
        and succeeded(event)
    )


def title(event):
    return by(event, f"Mail sending enabled in {event.get('awsRegion')} ({event.get('eventName')})")


def alert_context(event):
    return context(event, request=event.get("requestParameters"))

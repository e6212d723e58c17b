from cloudtrail import by, context, succeeded


def rule(event):
    return (
        event.get("eventName") == "CreateUser" and event.get("eventSource") == "iam.amazonaws.com" and succeeded(event)
    )


def title(event):
    return by(event, f"User {event.deep_get('requestParameters', 'userName')} created")


def alert_context(event):
    return context(event, user=event.deep_get("requestParameters", "userName"))

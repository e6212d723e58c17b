from cloudtrail import by, context, succeeded


def rule(event):
    if event.get("eventName") != "CreateAccessKey" or not succeeded(event):
        return False
    owner = event.deep_get("requestParameters", "userName")
    return bool(owner) and owner != event.deep_get("userIdentity", "userName")


def title(event):
    return by(event, f"Access key for user {event.deep_get('requestParameters', 'userName')} created")


def alert_context(event):
    return context(
        event,
        user=event.deep_get("requestParameters", "userName"),
        new_key=event.deep_get("responseElements", "accessKey", "accessKeyId"),
    )

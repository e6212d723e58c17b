from cloudtrail import by, caller_key, context, made_by_aws, succeeded, text


def rule(event):
    return event.get("eventName") == "GetSecretValue" and succeeded(event) and not made_by_aws(event)


def unique(event):
    return text(event.deep_get("requestParameters", "secretId"))


def title(event):
    return by(event, "Many secrets read")


def dedup(event):
    return caller_key(event)


def alert_context(event):
    return context(event, secret=event.deep_get("requestParameters", "secretId"))

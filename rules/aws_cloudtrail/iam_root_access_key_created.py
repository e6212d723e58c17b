from cloudtrail import account, context, succeeded


def rule(event):
    if event.get("eventName") != "CreateAccessKey" or event.deep_get("userIdentity", "type") != "Root":
        return False
    return not event.deep_get("requestParameters", "userName") and succeeded(event)


def title(event):
    return f"Access key created for the root user of account {account(event)}"


def alert_context(event):
    return context(event, new_key=event.deep_get("responseElements", "accessKey", "accessKeyId"))

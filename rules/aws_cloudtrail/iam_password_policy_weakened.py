from cloudtrail import by, context, succeeded

MINIMUM_LENGTH = 14


def rule(event):
    if event.get("eventName") == "DeleteAccountPasswordPolicy":
        return succeeded(event)
    return event.get("eventName") == "UpdateAccountPasswordPolicy" and is_short(event) and succeeded(event)


def is_short(event):
    length = event.deep_get("requestParameters", "minimumPasswordLength", default=6)
    return isinstance(length, int) and length < MINIMUM_LENGTH


def title(event):
    return by(event, "Password policy weakened")


def alert_context(event):
    return context(event, policy=event.get("requestParameters"))

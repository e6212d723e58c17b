from cloudtrail import by, context, made_by_aws, succeeded

DESTROYING = ("ScheduleKeyDeletion", "DeleteImportedKeyMaterial", "DisableKey")


def rule(event):
    if event.get("eventName") not in DESTROYING or event.get("eventSource") != "kms.amazonaws.com":
        return False
    return succeeded(event) and not made_by_aws(event)


def title(event):
    return by(event, f"{event.get('eventName')} of KMS key {event.deep_get('requestParameters', 'keyId')}")


def severity(event):
    return "MEDIUM" if event.get("eventName") == "DisableKey" else "HIGH"


def alert_context(event):
    return context(
        event,
        key=event.deep_get("requestParameters", "keyId"),
        days_left=event.deep_get("requestParameters", "pendingWindowInDays"),
    )

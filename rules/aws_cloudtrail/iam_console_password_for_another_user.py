from cloudtrail import by, context, succeeded


def rule(event):
    if event.get("eventName") not in ("CreateLoginProfile", "UpdateLoginProfile") or not succeeded(event):
        return False
    owner = event.deep_get("requestParameters", "userName")
    return bool(owner) and owner != event.deep_get("userIdentity", "userName")


def title(event):
    return by(event, f"Console password of user {event.deep_get('requestParameters', 'userName')} set")


def severity(event):
    replaced = event.get("eventName") == "UpdateLoginProfile"
    return "HIGH" if replaced and event.deep_get("requestParameters", "passwordResetRequired") is not True else "MEDIUM"


def alert_context(event):
    return context(
        event,
        user=event.deep_get("requestParameters", "userName"),
        reset_required=event.deep_get("requestParameters", "passwordResetRequired"),
    )

"""Many calls of one caller were denied within an hour."""


def rule(event):
    return event.get("errorCode", "") in ("AccessDenied", "AccessDeniedException", "Client.UnauthorizedOperation")


def title(event):
    return f"many denied calls by {event.deep_get('userIdentity', 'arn')}"


def dedup(event):
    return str(event.deep_get("userIdentity", "arn"))

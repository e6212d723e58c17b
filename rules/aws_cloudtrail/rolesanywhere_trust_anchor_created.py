from cloudtrail import by, context, succeeded


def rule(event):
    if event.get("eventName") not in ("CreateTrustAnchor", "UpdateTrustAnchor"):
        return False
    return event.get("eventSource") == "rolesanywhere.amazonaws.com" and succeeded(event)


def title(event):
    return by(event, f"{event.get('eventName')} in IAM Roles Anywhere")


def alert_context(event):
    return context(
        event,
        name=event.deep_get("requestParameters", "name"),
        source=event.deep_get("requestParameters", "source", "sourceType"),
        certificate=event.deep_get("requestParameters", "source", "sourceData"),
    )

from cloudtrail import by, context, succeeded

REMOVING = ("DeleteUserPermissionsBoundary", "DeleteRolePermissionsBoundary")


def rule(event):
    return event.get("eventName") in REMOVING and succeeded(event)


def target(event):
    return event.deep_get("requestParameters", "userName") or event.deep_get("requestParameters", "roleName")


def title(event):
    return by(event, f"Permissions boundary of {target(event)} removed")


def alert_context(event):
    return context(event, target=target(event))

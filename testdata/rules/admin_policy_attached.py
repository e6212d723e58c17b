"""Full administrator rights were attached to a user, role or group."""

ATTACH = ("AttachUserPolicy", "AttachRolePolicy", "AttachGroupPolicy")


def rule(event):
    if event.get("eventName") not in ATTACH or event.get("errorCode"):
        return False
    return str(event.deep_get("requestParameters", "policyArn")).endswith(":policy/AdministratorAccess")


def title(event):
    return f"{event.deep_get('userIdentity', 'arn')} used {event.get('eventName')} with AdministratorAccess"


def severity():
    return "CRITICAL"


def alert_context(event):
    return {"request": event.get("requestParameters"), "source_ip": event.get("sourceIPAddress")}

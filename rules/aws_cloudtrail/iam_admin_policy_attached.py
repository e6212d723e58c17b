from cloudtrail import by, context, succeeded, text

ATTACHING = ("AttachUserPolicy", "AttachRolePolicy", "AttachGroupPolicy")
ADMIN_POLICIES = (":iam::aws:policy/AdministratorAccess", ":iam::aws:policy/IAMFullAccess")


def rule(event):
    if event.get("eventName") not in ATTACHING or not succeeded(event):
        return False
    return policy(event).endswith(ADMIN_POLICIES)


def policy(event):
    return text(event.deep_get("requestParameters", "policyArn"))


def receiver(event):
    names = [event.deep_get("requestParameters", key) for key in ("userName", "roleName", "groupName")]
    return next((name for name in names if name), "unknown")


def title(event):
    return by(event, f"{policy(event).rpartition('/')[2]} attached to {receiver(event)}")


def alert_context(event):
    return context(event, policy=policy(event), receiver=receiver(event))

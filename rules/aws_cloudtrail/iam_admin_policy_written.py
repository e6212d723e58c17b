from cloudtrail import by, context, succeeded
from policies import grants_admin

WRITING = ("PutUserPolicy", "PutRolePolicy", "PutGroupPolicy", "CreatePolicy", "CreatePolicyVersion")


def rule(event):
    if event.get("eventName") not in WRITING or not succeeded(event):
        return False
    return grants_admin(event.deep_get("requestParameters", "policyDocument"))


def target(event):
    keys = ("userName", "roleName", "groupName", "policyArn", "policyName")
    return next((name for name in (event.deep_get("requestParameters", key) for key in keys) if name), "unknown")


def title(event):
    return by(event, f"Policy that allows everything written for {target(event)}")


def alert_context(event):
    return context(event, target=target(event), policy=event.deep_get("requestParameters", "policyDocument"))

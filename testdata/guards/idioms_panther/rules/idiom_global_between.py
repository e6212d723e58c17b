from idiom_base import call_succeeded

GUARDING = frozenset({"DenyOutsideOffice", "DenyRoot"})
DETACH = {"DetachRolePolicy", "DetachUserPolicy"}
policy = None


def rule(event):
    global policy
    if event.get("eventName") in DETACH and call_succeeded(event):
        policy = event.deep_get("requestParameters", "policyArn", default="").split("/")[-1]
        return policy in GUARDING
    return False


def title(_):
    return f"{policy} was detached"


def dedup(_):
    return policy or "none"

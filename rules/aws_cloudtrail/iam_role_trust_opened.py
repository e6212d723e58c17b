from cloudtrail import account, by, context, succeeded
from policies import foreign_accounts, is_public


def rule(event):
    if event.get("eventName") not in ("UpdateAssumeRolePolicy", "CreateRole") or not succeeded(event):
        return False
    return is_public(trust(event)) or bool(outsiders(event))


def trust(event):
    document = "assumeRolePolicyDocument" if event.get("eventName") == "CreateRole" else "policyDocument"
    return event.deep_get("requestParameters", document)


def outsiders(event):
    return foreign_accounts(trust(event), account(event))


def title(event):
    who = "everyone" if is_public(trust(event)) else ", ".join(outsiders(event))
    return by(event, f"Role {event.deep_get('requestParameters', 'roleName')} opened to {who}")


def severity(event):
    if is_public(trust(event)):
        return "CRITICAL"
    return "HIGH" if event.get("eventName") == "UpdateAssumeRolePolicy" else "MEDIUM"


def alert_context(event):
    return context(
        event,
        role=event.deep_get("requestParameters", "roleName"),
        outsiders=outsiders(event),
        trust_policy=trust(event),
    )

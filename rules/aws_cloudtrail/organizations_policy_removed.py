from cloudtrail import by, context, succeeded

REMOVING = ("DetachPolicy", "DeletePolicy", "DisablePolicyType")


def rule(event):
    if event.get("eventName") not in REMOVING or event.get("eventSource") != "organizations.amazonaws.com":
        return False
    return succeeded(event)


def title(event):
    return by(event, f"{event.get('eventName')} in the organization")


def severity(event):
    return "HIGH" if event.get("eventName") == "DisablePolicyType" else "MEDIUM"


def alert_context(event):
    return context(
        event,
        policy=event.deep_get("requestParameters", "policyId") or event.deep_get("requestParameters", "policyType"),
        target=event.deep_get("requestParameters", "targetId") or event.deep_get("requestParameters", "rootId"),
    )

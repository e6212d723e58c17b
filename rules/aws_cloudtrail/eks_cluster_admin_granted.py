from cloudtrail import by, context, listed, succeeded, text

ADMIN_POLICIES = ("/AmazonEKSClusterAdminPolicy", "/AmazonEKSAdminPolicy")


def rule(event):
    if event.get("eventName") == "AssociateAccessPolicy":
        return text(event.deep_get("requestParameters", "policyArn")).endswith(ADMIN_POLICIES) and succeeded(event)
    if event.get("eventName") not in ("CreateAccessEntry", "UpdateAccessEntry"):
        return False
    return "system:masters" in listed(event.deep_get("requestParameters", "kubernetesGroups")) and succeeded(event)


def title(event):
    who = event.deep_get("requestParameters", "principalArn")
    return by(event, f"{who} made administrator of cluster {event.deep_get('requestParameters', 'name')}")


def alert_context(event):
    return context(
        event,
        cluster=event.deep_get("requestParameters", "name"),
        principal=event.deep_get("requestParameters", "principalArn"),
        policy=event.deep_get("requestParameters", "policyArn"),
    )

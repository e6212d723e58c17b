from cloudtrail import by, context, succeeded
from network import admin_services, everyone


def rule(event):
    if event.get("eventName") not in ("CreateNetworkAclEntry", "ReplaceNetworkAclEntry") or not succeeded(event):
        return False
    if (
        event.deep_get("requestParameters", "egress") is not False
        or event.deep_get("requestParameters", "ruleAction") != "allow"
    ):
        return False
    return bool(opened(event))


def opened(event):
    def entry(*keys):
        return event.deep_get("requestParameters", *keys)

    if not everyone(entry("cidrBlock")) and not everyone(entry("ipv6CidrBlock")):
        return []
    return admin_services(entry("aclProtocol"), entry("portRange", "from"), entry("portRange", "to"))


def title(event):
    acl = event.deep_get("requestParameters", "networkAclId")
    return by(event, f"Network ACL {acl} open to the internet for {', '.join(opened(event))}")


def alert_context(event):
    return context(event, acl=event.deep_get("requestParameters", "networkAclId"), opened=opened(event))

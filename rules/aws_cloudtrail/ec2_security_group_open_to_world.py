from cloudtrail import by, context, objects, succeeded
from network import admin_services, everyone

OPENING = ("AuthorizeSecurityGroupIngress", "ModifySecurityGroupRules")


def rule(event):
    return event.get("eventName") in OPENING and bool(opened(event)) and succeeded(event)


def opened(event):
    """Names of the admin services that this call opens to everyone."""
    names = [name for one in permissions(event) if any(map(everyone, one["ranges"])) for name in services(one)]
    return sorted(set(names))


def services(permission):
    return admin_services(permission["protocol"], permission["first"], permission["last"])


def permissions(event):
    """The rules of the request, in its three shapes, as {protocol, first, last, ranges}."""
    request = event.deep_get("requestParameters", default={})
    listed = objects(event.deep_get("requestParameters", "ipPermissions"))
    changed = objects(event.deep_get("requestParameters", "ModifySecurityGroupRulesRequest", "SecurityGroupRule"))
    modified = objects([one.get("SecurityGroupRule") for one in changed])
    return (
        [from_list(one) for one in listed]
        + [from_modification(one) for one in modified]
        + [from_flat(one) for one in objects([request])]
    )


def from_list(permission):
    ranges = objects(permission.get("ipRanges")) + objects(permission.get("ipv6Ranges"))
    return {
        "protocol": permission.get("ipProtocol"),
        "first": permission.get("fromPort"),
        "last": permission.get("toPort"),
        "ranges": [one.get("cidrIp") or one.get("cidrIpv6") for one in ranges],
    }


def from_flat(request):
    return {
        "protocol": request.get("ipProtocol"),
        "first": request.get("fromPort"),
        "last": request.get("toPort"),
        "ranges": [request.get("cidrIp")],
    }


def from_modification(change):
    return {
        "protocol": change.get("IpProtocol"),
        "first": change.get("FromPort"),
        "last": change.get("ToPort"),
        "ranges": [change.get("CidrIpv4"), change.get("CidrIpv6")],
    }


def group(event):
    modified = event.deep_get("requestParameters", "ModifySecurityGroupRulesRequest", "GroupId")
    return event.deep_get("requestParameters", "groupId") or modified


def title(event):
    return by(event, f"Security group {group(event)} open to the internet for {', '.join(opened(event))}")


def alert_context(event):
    return context(event, group=group(event), opened=opened(event))

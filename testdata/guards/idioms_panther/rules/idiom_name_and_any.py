def rule(event):
    return event.get("eventName") in {"AuthorizeSecurityGroupIngress", "RevokeSecurityGroupEgress"} and any(
        cidr == "0.0.0.0/0"
        for permission in event.deep_get("requestParameters", "ipPermissions", "items", default=[])
        for cidr in [one.get("cidrIp") for one in permission.get("ipRanges", {}).get("items", [])]
    )

GROUP_CALLS = {"AuthorizeSecurityGroupIngress", "AuthorizeSecurityGroupEgress"}
ACL_CALLS = {"CreateNetworkAclEntry", "ReplaceNetworkAclEntry"}
ALL_CALLS = GROUP_CALLS | ACL_CALLS


def rule(event):
    if event.get("eventName") not in ALL_CALLS:
        return False
    found = str(event.get("requestParameters", {}))
    return "0.0.0.0/0" in found or "::/0" in found

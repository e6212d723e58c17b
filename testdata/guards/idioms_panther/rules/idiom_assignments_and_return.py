def rule(event):
    is_kms = event.get("eventSource") == "kms.amazonaws.com"
    is_grant = event.get("eventName") == "CreateGrant"
    grantee = event.deep_get("requestParameters", "granteePrincipal", default="")
    return is_kms and is_grant and event.get("recipientAccountId", "") not in grantee

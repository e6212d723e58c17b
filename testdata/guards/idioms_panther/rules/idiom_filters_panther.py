def rule(event):
    return "*" in event.deep_get("requestParameters", "accessPolicies", default="")

VERSIONS = ("CreatePolicyVersion", "SetDefaultPolicyVersion")


def rule(event):
    if event.get("eventSource") != "iam.amazonaws.com":
        return False
    if event.get("eventName") not in VERSIONS:
        return False
    created = event.get("eventName") == "CreatePolicyVersion"
    return not created or event.get("requestParameters", {}).get("setAsDefault") is True

def rule(event):
    if event.get("eventSource") == "iam.amazonaws.com":
        if event.get("eventName") == "DeleteAccountPasswordPolicy":
            return True
        if event.get("eventName") == "UpdateAccountPasswordPolicy":
            return event.deep_get("requestParameters", "minimumPasswordLength", default=0) < 14
    return False

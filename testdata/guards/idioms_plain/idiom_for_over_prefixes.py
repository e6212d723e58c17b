def rule(event):
    name = str(event.get("eventName", ""))
    for prefix in ("DisableAWSServiceAccess", "DeregisterDelegated"):
        if name.startswith(prefix):
            return True
    return False

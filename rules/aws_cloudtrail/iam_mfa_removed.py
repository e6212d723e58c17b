from cloudtrail import by, context, succeeded


def rule(event):
    return event.get("eventName") == "DeactivateMFADevice" and succeeded(event)


def owner(event):
    return event.deep_get("requestParameters", "userName") or event.deep_get("userIdentity", "userName") or "root"


def title(event):
    return by(event, f"MFA device of {owner(event)} removed")


def severity(event):
    if event.deep_get("userIdentity", "type") == "Root" and owner(event) == "root":
        return "CRITICAL"
    return "MEDIUM" if owner(event) == event.deep_get("userIdentity", "userName") else "HIGH"


def alert_context(event):
    return context(event, user=owner(event), device=event.deep_get("requestParameters", "serialNumber"))

from cloudtrail import by, context, from_instance, text

WORKSTATIONS = ("os/macos", "darwin", "microsoft-standard-wsl", "kali", "parrot")


def rule(event):
    if event.deep_get("userIdentity", "type") != "AssumedRole":
        return False
    if not event.deep_get("userIdentity", "sessionContext", "ec2RoleDelivery") or not from_instance(event):
        return False
    return any(name in agent(event) for name in WORKSTATIONS)


def agent(event):
    return text(event.get("userAgent")).lower()


def system(event):
    return next((name for name in WORKSTATIONS if name in agent(event)), "")


def title(event):
    return by(event, "Instance credentials used on a workstation")


def dedup(event):
    return text(event.deep_get("userIdentity", "arn")) or "unknown instance"


def alert_context(event):
    return context(event, system=system(event), call=event.get("eventName"))

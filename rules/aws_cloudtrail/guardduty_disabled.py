from cloudtrail import by, context, succeeded

DISABLING = (
    "DeleteDetector",
    "DeleteMembers",
    "DisassociateFromAdministratorAccount",
    "DisassociateFromMasterAccount",
    "DisassociateMembers",
    "StopMonitoringMembers",
)


def rule(event):
    if event.get("eventSource") != "guardduty.amazonaws.com" or not succeeded(event):
        return False
    if event.get("eventName") == "UpdateDetector":
        return event.deep_get("requestParameters", "enable") is False
    return event.get("eventName") in DISABLING


def title(event):
    return by(event, f"GuardDuty weakened ({event.get('eventName')})")


def alert_context(event):
    return context(
        event,
        detector=event.deep_get("requestParameters", "detectorId"),
        members=event.deep_get("requestParameters", "accountIds"),
    )

from cloudtrail import by, context, succeeded

DISABLING = (
    "BatchDisableStandards",
    "DeleteMembers",
    "DisableSecurityHub",
    "DisassociateFromAdministratorAccount",
    "DisassociateFromMasterAccount",
    "DisassociateMembers",
)


def rule(event):
    return (
        event.get("eventSource") == "securityhub.amazonaws.com"
        and event.get("eventName") in DISABLING
        and succeeded(event)
    )


def title(event):
    return by(event, f"Security Hub weakened in {event.get('awsRegion')} ({event.get('eventName')})")


def severity(event):
    return "LOW" if event.get("eventName") == "BatchDisableStandards" else "DEFAULT"


def alert_context(event):
    return context(event, request=event.get("requestParameters"))

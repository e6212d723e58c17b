from cloudtrail import by, caller_key, context, denied, made_by_aws

CRITICAL_CALLS = (
    "AttachRolePolicy",
    "AttachUserPolicy",
    "CreateLoginProfile",
    "DeactivateMFADevice",
    "DeleteConfigurationRecorder",
    "DeleteDetector",
    "DeleteEventDataStore",
    "DeleteFlowLogs",
    "DeleteTrail",
    "DisableSecurityHub",
    "DisassociateFromAdministratorAccount",
    "LeaveOrganization",
    "PutEventSelectors",
    "PutUserPolicy",
    "StopConfigurationRecorder",
    "StopLogging",
    "UpdateAssumeRolePolicy",
    "UpdateLoginProfile",
    "UpdateTrail",
)


def rule(event):
    return event.get("eventName") in CRITICAL_CALLS and denied(event) and not made_by_aws(event)


def title(event):
    return by(event, f"{event.get('eventName')} denied")


def dedup(event):
    return caller_key(event)


def alert_context(event):
    return context(event, call=event.get("eventName"), message=event.get("errorMessage"))

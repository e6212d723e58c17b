from cloudtrail import by, caller_key, context, made_by_aws, succeeded, text


def rule(event):
    return event.get("eventName") == "DeleteRecoveryPoint" and succeeded(event) and not made_by_aws(event)


def unique(event):
    return text(event.deep_get("requestParameters", "recoveryPointArn"))


def title(event):
    return by(event, f"Backups in vault {event.deep_get('requestParameters', 'backupVaultName')} deleted")


def dedup(event):
    return caller_key(event)


def alert_context(event):
    return context(
        event,
        vault=event.deep_get("requestParameters", "backupVaultName"),
        recovery_point=event.deep_get("requestParameters", "recoveryPointArn"),
    )

"""An EBS snapshot was shared outside its account."""


def rule(event):
    return (
        event.get("eventName") == "ModifySnapshotAttribute"
        and not event.get("errorCode")
        and bool(event.deep_get("requestParameters", "createVolumePermission", "add"))
    )


def title(event):
    return f"snapshot {event.deep_get('requestParameters', 'snapshotId')} was shared"


def severity():
    return "HIGH"

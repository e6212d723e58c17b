from cloudtrail import by, context, listed, succeeded, text
from settings import TRUSTED_ACCOUNTS


def rule(event):
    if event.get("eventName") not in ("ModifyDBSnapshotAttribute", "ModifyDBClusterSnapshotAttribute"):
        return False
    return (
        event.deep_get("requestParameters", "attributeName") == "restore"
        and bool(receivers(event))
        and succeeded(event)
    )


def receivers(event):
    added = listed(event.deep_get("requestParameters", "valuesToAdd"))
    return [one for one in map(text, added) if one and one not in TRUSTED_ACCOUNTS]


def snapshot(event):
    cluster = event.deep_get("requestParameters", "dBClusterSnapshotIdentifier")
    return cluster or event.deep_get("requestParameters", "dBSnapshotIdentifier")


def title(event):
    return by(event, f"Database snapshot {snapshot(event)} {'made public' if 'all' in receivers(event) else 'shared'}")


def severity(event):
    return "CRITICAL" if "all" in receivers(event) else "HIGH"


def alert_context(event):
    return context(event, snapshot=snapshot(event), shared_with=receivers(event))

from cloudtrail import by, context, objects, succeeded, text
from settings import TRUSTED_ACCOUNTS

PERMISSIONS = {"ModifySnapshotAttribute": "createVolumePermission", "ModifyImageAttribute": "launchPermission"}


def rule(event):
    if event.get("eventName") not in ("ModifySnapshotAttribute", "ModifyImageAttribute") or not succeeded(event):
        return False
    return is_public(event) or bool(receivers(event))


def added(event):
    permission = PERMISSIONS.get(text(event.get("eventName")))
    return objects(event.deep_get("requestParameters", permission, "add"))


def is_public(event):
    return any(one.get("group") == "all" for one in added(event))


def receivers(event):
    accounts = [text(one.get("userId")) for one in added(event)]
    organizations = [text(one.get("organizationArn")) or text(one.get("organizationalUnitArn")) for one in added(event)]
    return [one for one in accounts + organizations if one and one not in TRUSTED_ACCOUNTS]


def disk(event):
    return event.deep_get("requestParameters", "snapshotId") or event.deep_get("requestParameters", "imageId")


def title(event):
    return by(event, f"{disk(event)} {'made public' if is_public(event) else 'shared'}")


def severity(event):
    return "CRITICAL" if is_public(event) else "HIGH"


def alert_context(event):
    return context(event, disk=disk(event), shared_with=receivers(event), public=is_public(event))

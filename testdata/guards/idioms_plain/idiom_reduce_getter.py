from checks import dig, succeeded


def rule(event):
    if event.get("eventName") == "ModifySnapshotAttribute" and succeeded(event):
        added = dig(event, "requestParameters", "createVolumePermission", "add", "items", default=[])
        return any(one.get("group") == "all" for one in added)
    return False

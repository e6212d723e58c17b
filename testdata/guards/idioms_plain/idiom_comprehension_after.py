OURS = {"111122223333"}


def rule(event):
    if event.get("eventName") != "ModifyImageAttribute":
        return False
    added = event.deep_get("requestParameters", "launchPermission", "add", "items", default=[])
    outside = [one.get("userId") for one in added if one.get("userId") and one.get("userId") not in OURS]
    return len(outside) > 0

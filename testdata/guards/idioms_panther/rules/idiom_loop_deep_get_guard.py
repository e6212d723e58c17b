from idiom_deep import looped_get


def rule(event):
    if looped_get(event, ["userIdentity", "type"]) != "AssumedRole":
        return False
    if event.get("eventName") != "PutRolePolicy":
        return False
    return ":i-" in looped_get(event, ["userIdentity", "principalId"], "")

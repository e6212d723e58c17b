from cloudtrail import by, caller_key, context, listed, made_by_aws, objects, succeeded

SHELLS = ("AWS-RunShellScript", "AWS-RunPowerShellScript", "AWS-RunRemoteScript")
FEW = 5


def rule(event):
    if event.get("eventName") != "SendCommand" or event.deep_get("requestParameters", "documentName") not in SHELLS:
        return False
    if not succeeded(event) or made_by_aws(event):
        return False
    return event.deep_get("userIdentity", "type") == "IAMUser" or is_wide(event)


def is_wide(event):
    return len(instances(event)) > FEW or any(one.get("key") != "InstanceIds" for one in targets(event))


def targets(event):
    return objects(event.deep_get("requestParameters", "targets"))


def instances(event):
    named = [value for one in targets(event) if one.get("key") == "InstanceIds" for value in listed(one.get("values"))]
    return listed(event.deep_get("requestParameters", "instanceIds")) + named


def title(event):
    return by(
        event,
        f"{event.deep_get('requestParameters', 'documentName')} sent {'widely' if is_wide(event) else 'to instances'}",
    )


def severity(event):
    return "HIGH" if is_wide(event) else "MEDIUM"


def dedup(event):
    return f"{caller_key(event)}:{severity(event)}"


def alert_context(event):
    return context(
        event,
        command=event.deep_get("responseElements", "command", "commandId"),
        instances=instances(event),
        targets=targets(event),
    )

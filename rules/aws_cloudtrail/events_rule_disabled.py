from cloudtrail import by, caller_key, context, made_by_aws, succeeded

DISABLING = ("DisableRule", "DeleteRule", "RemoveTargets")


def rule(event):
    if event.get("eventName") not in DISABLING or event.get("eventSource") != "events.amazonaws.com":
        return False
    return succeeded(event) and not made_by_aws(event)


def name(event):
    return event.deep_get("requestParameters", "name") or event.deep_get("requestParameters", "rule")


def title(event):
    return by(event, f"{event.get('eventName')} of EventBridge rule {name(event)}")


def dedup(event):
    return caller_key(event)


def alert_context(event):
    return context(event, rule=name(event), bus=event.deep_get("requestParameters", "eventBusName"))

from cloudtrail import by, caller_key, context, denied, succeeded


def rule(event):
    return event.get("eventName") == "GetPasswordData" and (succeeded(event) or denied(event))


def title(event):
    return by(event, "Administrator password data of instances read")


def severity(event):
    return "MEDIUM" if succeeded(event) else "LOW"


def dedup(event):
    return f"{caller_key(event)}:{severity(event)}"


def alert_context(event):
    return context(event, instance=event.deep_get("requestParameters", "instanceId"))

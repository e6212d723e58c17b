from cloudtrail import by, caller_key, context, made_by_aws, text


def rule(event):
    if event.get("eventName") != "DescribeInstanceAttribute" or made_by_aws(event):
        return False
    return event.deep_get("requestParameters", "attribute") == "userData"


def unique(event):
    return text(event.deep_get("requestParameters", "instanceId"))


def title(event):
    return by(event, "User data of several instances read")


def severity(event):
    return "LOW" if "HashiCorp" in text(event.get("userAgent")) else "MEDIUM"


def dedup(event):
    return caller_key(event)


def alert_context(event):
    return context(event, instance=event.deep_get("requestParameters", "instanceId"))

from cloudtrail import by, context, succeeded, text

AUDIT_WORDS = ("cloudtrail", "flow", "waf", "guardduty", "dns", "audit", "security")


def rule(event):
    if event.get("eventName") not in ("DeleteLogGroup", "DeleteLogStream") or not succeeded(event):
        return False
    name = log_group(event).lower()
    return any(word in name for word in AUDIT_WORDS)


def log_group(event):
    return text(event.deep_get("requestParameters", "logGroupName"))


def title(event):
    return by(event, f"{event.get('eventName')} of security log group {log_group(event)}")


def dedup(event):
    return f"{event.get('recipientAccountId')}:{log_group(event)}"


def alert_context(event):
    return context(event, log_group=log_group(event), stream=event.deep_get("requestParameters", "logStreamName"))

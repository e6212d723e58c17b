from cloudtrail import by, caller_key, context, succeeded


def rule(event):
    return (
        event.get("eventName") in ("StartSession", "ResumeSession")
        and event.get("eventSource") == "ssm.amazonaws.com"
        and succeeded(event)
    )


def title(event):
    return by(event, f"Session on {event.deep_get('requestParameters', 'target')} started")


def dedup(event):
    return f"{caller_key(event)}:{event.deep_get('requestParameters', 'target')}"


def alert_context(event):
    return context(
        event,
        target=event.deep_get("requestParameters", "target"),
        document=event.deep_get("requestParameters", "documentName"),
    )

def rule(event):
    return event.get("eventName") == "StopLogging"


def title(event):
    return f"Trail stopped in {event.get('awsRegion')}"

from cloudtrail import by, context, succeeded


def rule(event):
    return event.get("eventName") == "DisableEbsEncryptionByDefault" and succeeded(event)


def title(event):
    return by(event, f"Default EBS encryption disabled in {event.get('awsRegion')}")


def alert_context(event):
    return context(event)

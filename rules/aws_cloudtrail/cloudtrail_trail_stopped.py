from cloudtrail import by, context, succeeded, text

STOPPING = ("StopLogging", "DeleteTrail", "StopEventDataStoreIngestion", "DeleteEventDataStore")


def rule(event):
    return (
        event.get("eventName") in STOPPING
        and event.get("eventSource") == "cloudtrail.amazonaws.com"
        and succeeded(event)
    )


def trail(event):
    name = event.deep_get("requestParameters", "name") or event.deep_get("requestParameters", "eventDataStore")
    return text(name).rpartition("/")[2] or "of unknown name"


def title(event):
    return by(event, f"{event.get('eventName')} of CloudTrail trail {trail(event)}")


def alert_context(event):
    return context(event, trail=trail(event))

from example_helpers import deep_get, succeeded


def rule(event):
    return event.get("eventName") == "CreateAccessKey" and succeeded(event)


def title(event):
    return f"Access key of {deep_get(event, 'requestParameters', 'userName')} created"

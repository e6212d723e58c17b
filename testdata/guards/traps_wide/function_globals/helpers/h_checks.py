NAMES = {"StopLogging"}


def wanted(event):
    return event.get("eventName") in NAMES

NAMES = {"StopLogging"}


def names():
    return NAMES


def wanted(event):
    return event.get("eventName") in NAMES

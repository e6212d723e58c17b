def check(event):
    return event.get("eventName") == "StopLogging"

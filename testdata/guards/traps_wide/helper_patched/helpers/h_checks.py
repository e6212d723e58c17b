def wanted(event):
    return event.get("eventName") == "StopLogging"

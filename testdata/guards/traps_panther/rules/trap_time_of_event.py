# Trap: the time of the event decides.
def rule(event):
    return event.event_time_epoch() < 946684800 and event.get("eventName") != "StopLogging"

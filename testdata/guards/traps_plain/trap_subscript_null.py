# Trap: a subscript gives the stored null, and None.get raises.
def rule(event):
    return event["requestParameters"].get("name") == "x" and event.get("eventName") == "StopLogging"

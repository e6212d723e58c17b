# Trap: a changed copy of the event is asked, not the event.
def rule(event):
    changed = event.to_dict()
    changed["eventName"] = changed.get("requestParameters") or "none"
    return changed["eventName"] == {"trap": "copy"} and event.get("eventName") != "StopLogging"

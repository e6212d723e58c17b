SCORES = {"DisableKey": 4, "ScheduleKeyDeletion": 9}


def rule(event):
    return event.get("eventSource") == "kms.amazonaws.com" and event.get("eventName") in SCORES.keys()


def severity(event):
    return "CRITICAL" if SCORES[event["eventName"]] > 5 else "HIGH"

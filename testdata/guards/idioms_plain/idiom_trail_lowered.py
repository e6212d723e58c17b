from checks import succeeded

WEAKENING = {"DeleteTrail", "UpdateTrail", "PutEventSelectors"}


def rule(event):
    return event.get("eventName") in WEAKENING and succeeded(event)


def severity(event):
    return "HIGH" if event.get("eventName") == "DeleteTrail" else "MEDIUM"

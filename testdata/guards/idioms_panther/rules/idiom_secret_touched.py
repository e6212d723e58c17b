from idiom_base import call_succeeded

TOUCHING = {
    "DeleteSecret",
    "PutResourcePolicy",
    "UpdateSecret",
}


def rule(event):
    if not call_succeeded(event):
        return False
    return event.get("eventSource") == "secretsmanager.amazonaws.com" and event.get("eventName") in TOUCHING

import idiom_calls as calls


def rule(event):
    if event.get("eventName") in calls.DISK_ENCRYPTION:
        return True
    return False

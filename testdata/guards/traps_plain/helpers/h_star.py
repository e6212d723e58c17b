NAMES = {"TrapStarred"}


def wanted(event):
    return event.get("eventName") in {"TrapStarred"}

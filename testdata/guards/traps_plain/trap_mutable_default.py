# Trap: the default list is made once and kept.
def remember(event, seen=[]):  # noqa: B006
    seen.append(event.get("eventName"))
    return seen


def rule(event):
    return len(remember(event)) > 2 and event.get("eventName") == "TrapDefault"

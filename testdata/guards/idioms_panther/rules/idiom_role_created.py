def rule(event):
    return event.get("eventName") == "CreateRole"


def title(event):
    return f"Role {event.deep_get('requestParameters', 'roleName')} created"

def rule(event):
    if event.udm("event_type") != "user_created":
        return False
    return event.udm("target_user").startswith("admin-")

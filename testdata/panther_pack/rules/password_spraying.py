def rule(event):
    return event.udm("event_type") == "failed_login"


def title(event):
    return f"Passwords of several users tried from {event.udm('source_ip')}"


def dedup(event):
    return event.udm("source_ip") or "unknown address"


def unique(event):
    return event.udm("actor_user")

def get_actor_user(event):
    if event.deep_get("userIdentity", "type") == "Root":
        return "root"
    arn = event.deep_get("userIdentity", "arn", default="")
    return event.deep_get("userIdentity", "userName") or arn.rpartition("/")[2] or "unknown"


def get_event_type(event):
    if event.get("eventName") == "ConsoleLogin":
        outcome = event.deep_get("responseElements", "ConsoleLogin")
        return "failed_login" if outcome == "Failure" else "successful_login"
    return None

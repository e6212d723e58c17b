TYPES = {
    "StopLogging": "trail_paused",
    "DeleteTrail": "trail_removed",
}


def event_type(event):
    name = event.get("eventName")
    if name == "ConsoleLogin":
        outcome = event.deep_get("responseElements", "ConsoleLogin")
        return "login_failed" if outcome == "Failure" else "login"
    if name in ("CreateUser", "CreateLoginProfile"):
        return "user_created"
    return TYPES.get(name)

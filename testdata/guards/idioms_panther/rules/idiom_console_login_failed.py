def rule(event):
    return (
        event.get("eventName") == "ConsoleLogin"
        and event.get("userIdentity", {}).get("type") == "IAMUser"
        and (event.get("responseElements") or {}).get("ConsoleLogin") == "Failure"
    )


def dedup(event):
    return event.deep_get("userIdentity", "arn", default="unknown")

from cloudtrail import by, caller_key, context, succeeded

SERIAL_CONSOLE = ("SendSerialConsoleSSHPublicKey", "EnableSerialConsoleAccess")


def rule(event):
    if event.get("eventName") != "SendSSHPublicKey" and event.get("eventName") not in SERIAL_CONSOLE:
        return False
    return succeeded(event)


def title(event):
    return by(
        event,
        f"{event.get('eventName')} for {event.deep_get('requestParameters', 'instanceId', default='all instances')}",
    )


def severity(event):
    return "MEDIUM" if event.get("eventName") in SERIAL_CONSOLE else "LOW"


def dedup(event):
    return f"{caller_key(event)}:{severity(event)}"


def alert_context(event):
    return context(
        event,
        instance=event.deep_get("requestParameters", "instanceId"),
        os_user=event.deep_get("requestParameters", "instanceOSUser"),
    )

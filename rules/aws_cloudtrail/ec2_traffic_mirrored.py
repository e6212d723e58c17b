from cloudtrail import by, context, succeeded

REQUEST = "CreateTrafficMirrorSessionRequest"


def rule(event):
    return event.get("eventName") == "CreateTrafficMirrorSession" and succeeded(event)


def title(event):
    return by(event, f"Traffic of {event.deep_get('requestParameters', REQUEST, 'NetworkInterfaceId')} mirrored")


def alert_context(event):
    return context(
        event,
        interface=event.deep_get("requestParameters", REQUEST, "NetworkInterfaceId"),
        target=event.deep_get("requestParameters", REQUEST, "TrafficMirrorTargetId"),
    )

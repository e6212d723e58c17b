from cloudtrail import by, context, succeeded

STOPPING = ("StopConfigurationRecorder", "DeleteConfigurationRecorder", "DeleteDeliveryChannel")


def rule(event):
    return event.get("eventName") in STOPPING and succeeded(event)


def title(event):
    return by(event, f"AWS Config stopped in {event.get('awsRegion')} ({event.get('eventName')})")


def alert_context(event):
    return context(
        event,
        recorder=event.deep_get("requestParameters", "configurationRecorderName"),
        channel=event.deep_get("requestParameters", "deliveryChannelName"),
    )

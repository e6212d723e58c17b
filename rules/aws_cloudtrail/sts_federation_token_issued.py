from cloudtrail import by, context, succeeded


def rule(event):
    return event.get("eventName") == "GetFederationToken" and succeeded(event)


def title(event):
    return by(event, f"Federation token for {event.deep_get('requestParameters', 'name')} issued")


def alert_context(event):
    return context(
        event,
        federated_user=event.deep_get("requestParameters", "name"),
        policy=event.deep_get("requestParameters", "policy"),
        seconds=event.deep_get("requestParameters", "durationSeconds"),
    )

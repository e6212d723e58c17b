from cloudtrail import by, context, succeeded

REMOVING = ("DeleteResolverQueryLogConfig", "DisassociateResolverQueryLogConfig")


def rule(event):
    return event.get("eventName") in REMOVING and succeeded(event)


def title(event):
    return by(event, f"DNS query logging removed in {event.get('awsRegion')}")


def alert_context(event):
    return context(
        event,
        config=event.deep_get("requestParameters", "resolverQueryLogConfigId"),
        vpc=event.deep_get("requestParameters", "resourceId"),
    )

from cloudtrail import by, context, succeeded

REQUESTS = ("ModifyInstanceMetadataOptionsRequest", "ModifyInstanceMetadataDefaultsRequest")


def rule(event):
    if event.get("eventName") not in ("ModifyInstanceMetadataOptions", "ModifyInstanceMetadataDefaults"):
        return False
    return any(
        event.deep_get("requestParameters", request, "HttpTokens") == "optional" for request in REQUESTS
    ) and succeeded(event)


def instance(event):
    return event.deep_get(
        "requestParameters", "ModifyInstanceMetadataOptionsRequest", "InstanceId", default="all new instances"
    )


def title(event):
    return by(event, f"Metadata service version 1 enabled for {instance(event)}")


def alert_context(event):
    return context(event, instance=instance(event))

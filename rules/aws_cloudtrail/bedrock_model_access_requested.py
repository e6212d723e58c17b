from cloudtrail import by, caller_key, context, succeeded

REQUESTING = ("CreateFoundationModelAgreement", "PutFoundationModelEntitlement", "PutUseCaseForModelAccess")


def rule(event):
    return event.get("eventName") in REQUESTING and succeeded(event)


def title(event):
    return by(event, "Access to Bedrock models requested")


def dedup(event):
    return caller_key(event)


def alert_context(event):
    return context(event, call=event.get("eventName"), model=event.deep_get("requestParameters", "modelId"))

from cloudtrail import by, context, succeeded


def rule(event):
    if event.get("eventName") not in ("DeleteModelInvocationLoggingConfiguration", "DeleteGuardrail"):
        return False
    return succeeded(event)


def title(event):
    return by(event, f"{event.get('eventName')} of Bedrock in {event.get('awsRegion')}")


def severity(event):
    return "LOW" if event.get("eventName") == "DeleteGuardrail" else "DEFAULT"


def alert_context(event):
    return context(event, guardrail=event.deep_get("requestParameters", "guardrailIdentifier"))

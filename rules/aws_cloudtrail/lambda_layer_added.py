from cloudtrail import account, by, context, listed, succeeded, text
from settings import TRUSTED_ACCOUNTS


def rule(event):
    if event.get("eventName") != "UpdateFunctionConfiguration20150331v2" or not layers(event):
        return False
    return (event.deep_get("userIdentity", "type") == "IAMUser" or bool(foreign(event))) and succeeded(event)


def layers(event):
    return [layer for layer in map(text, listed(event.deep_get("requestParameters", "layers"))) if layer]


def foreign(event):
    """Layers of accounts that are neither this one nor trusted."""
    known = (account(event), *TRUSTED_ACCOUNTS)
    return [layer for layer in layers(event) if layer.count(":") > 4 and layer.split(":")[4] not in known]


def title(event):
    kind = "Foreign layer" if foreign(event) else "Layer"
    return by(event, f"{kind} added to Lambda function {event.deep_get('requestParameters', 'functionName')}")


def severity(event):
    return "MEDIUM" if foreign(event) else "LOW"


def alert_context(event):
    return context(event, function=event.deep_get("requestParameters", "functionName"), layers=layers(event))

from cloudtrail import by, context, made_by_aws, succeeded

CHANGING = (
    "CreateSAMLProvider",
    "UpdateSAMLProvider",
    "CreateOpenIDConnectProvider",
    "AddClientIDToOpenIDConnectProvider",
    "UpdateOpenIDConnectProviderThumbprint",
)


def rule(event):
    return event.get("eventName") in CHANGING and succeeded(event) and not made_by_aws(event)


def provider(event):
    keys = ("sAMLProviderArn", "openIDConnectProviderArn", "name", "url")
    return next((found for found in (event.deep_get("requestParameters", key) for key in keys) if found), "unknown")


def title(event):
    return by(event, f"{event.get('eventName')} of identity provider {provider(event)}")


def alert_context(event):
    return context(event, provider=provider(event), client=event.deep_get("requestParameters", "clientID"))

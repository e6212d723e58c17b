from cloudtrail import by, context, made_by_aws, succeeded

REMOVING = ("DeleteWebACL", "DisassociateWebACL", "DeleteLoggingConfiguration")
SOURCES = ("wafv2.amazonaws.com", "waf-regional.amazonaws.com", "waf.amazonaws.com")


def rule(event):
    if event.get("eventName") not in REMOVING or event.get("eventSource") not in SOURCES:
        return False
    return succeeded(event) and not made_by_aws(event)


def title(event):
    return by(event, f"Web application firewall weakened ({event.get('eventName')})")


def alert_context(event):
    return context(
        event,
        web_acl=event.deep_get("requestParameters", "name") or event.deep_get("requestParameters", "webACLId"),
        resource=event.deep_get("requestParameters", "resourceArn"),
    )

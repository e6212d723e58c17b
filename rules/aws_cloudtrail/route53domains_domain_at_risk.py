from cloudtrail import by, context, succeeded

RISKY = (
    "DisableDomainTransferLock",
    "RetrieveDomainAuthCode",
    "TransferDomainToAnotherAwsAccount",
    "UpdateDomainNameservers",
)


def rule(event):
    return event.get("eventName") in RISKY and succeeded(event)


def title(event):
    return by(event, f"{event.get('eventName')} for domain {event.deep_get('requestParameters', 'domainName')}")


def alert_context(event):
    return context(
        event,
        domain=event.deep_get("requestParameters", "domainName"),
        receiver=event.deep_get("requestParameters", "accountId"),
    )

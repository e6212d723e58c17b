from cloudtrail import by, context, succeeded


def rule(event):
    return event.get("eventName") in ("LeaveOrganization", "RemoveAccountFromOrganization") and succeeded(event)


def title(event):
    return by(event, f"{event.get('eventName')} called")


def alert_context(event):
    return context(event, removed_account=event.deep_get("requestParameters", "accountId"))

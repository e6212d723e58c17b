from cloudtrail import by, context, succeeded

COVERAGE = ("isMultiRegionTrail", "includeGlobalServiceEvents", "enableLogFileValidation", "isOrganizationTrail")


def rule(event):
    if event.get("eventName") != "UpdateTrail" or not succeeded(event):
        return False
    return bool(lost(event) or event.deep_get("requestParameters", "s3BucketName"))


def lost(event):
    """Settings that this call turned off."""
    return [setting for setting in COVERAGE if event.deep_get("requestParameters", setting) is False]


def title(event):
    change = f"lost {', '.join(lost(event))}" if lost(event) else "was given a bucket"
    return by(event, f"CloudTrail trail {event.deep_get('requestParameters', 'name')} {change}")


def severity(event):
    return "HIGH" if lost(event) else "MEDIUM"


def alert_context(event):
    return context(event, turned_off=lost(event), bucket=event.deep_get("requestParameters", "s3BucketName"))

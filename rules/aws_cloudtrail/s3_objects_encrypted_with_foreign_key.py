from cloudtrail import by, caller_key, context, succeeded

ALGORITHM = "x-amz-server-side-encryption-customer-algorithm"


def rule(event):
    if event.get("eventName") not in ("CopyObject", "PutObject") or not event.deep_get("requestParameters", ALGORITHM):
        return False
    return succeeded(event)


def title(event):
    return by(
        event, f"Objects of S3 bucket {event.deep_get('requestParameters', 'bucketName')} encrypted with a foreign key"
    )


def dedup(event):
    return f"{caller_key(event)}:{event.deep_get('requestParameters', 'bucketName')}"


def alert_context(event):
    return context(
        event,
        bucket=event.deep_get("requestParameters", "bucketName"),
        key=event.deep_get("requestParameters", "key"),
    )

from cloudtrail import by, caller_key, context, made_by_aws, succeeded


def rule(event):
    return event.get("eventName") == "DeleteObjects" and succeeded(event) and not made_by_aws(event)


def title(event):
    return by(event, f"Objects of S3 bucket {event.deep_get('requestParameters', 'bucketName')} deleted in bulk")


def dedup(event):
    return f"{caller_key(event)}:{event.deep_get('requestParameters', 'bucketName')}"


def alert_context(event):
    return context(event, bucket=event.deep_get("requestParameters", "bucketName"))

from cloudtrail import by, caller_key, context, succeeded, text


def rule(event):
    return event.get("eventName") == "DeleteBucket" and succeeded(event)


def unique(event):
    return text(event.deep_get("requestParameters", "bucketName"))


def title(event):
    return by(event, "Several S3 buckets deleted")


def dedup(event):
    return caller_key(event)


def alert_context(event):
    return context(event, bucket=event.deep_get("requestParameters", "bucketName"))

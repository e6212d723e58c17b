from cloudtrail import by, context, succeeded


def rule(event):
    if event.get("eventName") == "PutBucketVersioning":
        return event.deep_get("requestParameters", "VersioningConfiguration", "Status") == "Suspended" and succeeded(
            event
        )
    return event.get("eventName") == "DeleteBucketReplication" and succeeded(event)


def title(event):
    return by(event, f"Recovery of S3 bucket {event.deep_get('requestParameters', 'bucketName')} weakened")


def alert_context(event):
    return context(event, call=event.get("eventName"), bucket=event.deep_get("requestParameters", "bucketName"))

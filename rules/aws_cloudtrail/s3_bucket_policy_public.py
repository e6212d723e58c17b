from cloudtrail import by, context, succeeded
from policies import is_public


def rule(event):
    if event.get("eventName") != "PutBucketPolicy" or not succeeded(event):
        return False
    return is_public(event.deep_get("requestParameters", "bucketPolicy"))


def title(event):
    return by(event, f"S3 bucket {event.deep_get('requestParameters', 'bucketName')} opened to everyone")


def alert_context(event):
    return context(event, policy=event.deep_get("requestParameters", "bucketPolicy"))

from cloudtrail import by, context, succeeded, text
from settings import TRAIL_BUCKETS

CHANGES = {
    "PutBucketNotification": "Notifications",
    "PutBucketNotificationConfiguration": "Notifications",
    "PutBucketPolicy": "Policy",
    "DeleteBucketPolicy": "Policy",
    "PutBucketLifecycle": "Lifecycle",
    "PutBucketLifecycleConfiguration": "Lifecycle",
    "DeleteBucketLifecycle": "Lifecycle",
}
# Of the buckets that CloudTrail's console and Control Tower make.
NAMES = ("aws-cloudtrail-logs-", "aws-controltower-logs-")


def bucket(event):
    return text(event.deep_get("requestParameters", "bucketName"))


def delivers(name):
    """CloudTrail delivers to this bucket."""
    return name in TRAIL_BUCKETS if TRAIL_BUCKETS else name.startswith(NAMES)


def rule(event):
    if event.get("eventName") not in CHANGES or event.get("eventSource") != "s3.amazonaws.com":
        return False
    return succeeded(event) and delivers(bucket(event))


def title(event):
    return by(event, f"{CHANGES[event.get('eventName')]} of trail bucket {bucket(event)} changed")


def severity(event):
    return "MEDIUM" if event.get("eventName") == "PutBucketPolicy" else "HIGH"


def dedup(event):
    return f"{bucket(event)}:{CHANGES[event.get('eventName')]}"


def alert_context(event):
    parameters = event.deep_get("requestParameters", default={})
    return context(event, call=event.get("eventName"), bucket=bucket(event), parameters=parameters)

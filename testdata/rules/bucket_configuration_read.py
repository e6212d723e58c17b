"""No severity and no title: an INFO alert named after the rule."""

READS = ("GetBucketPolicy", "GetBucketAcl", "GetBucketPublicAccessBlock")


def rule(event):
    return event.get("eventSource") == "s3.amazonaws.com" and event.get("eventName") in READS

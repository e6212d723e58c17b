from example_helpers import caller_context

PATH = ("requestParameters", "bucketPolicy", "Statement", "Principal", "AWS")


def rule(event):
    if event.get("eventName") != "PutBucketPolicy":
        return False
    return any(event.get("recipientAccountId") not in principal for principal in principals(event))


def principals(event):
    found = event.deep_walk(*PATH, default=[])
    return [found] if isinstance(found, str) else list(found)


def title(event):
    first = event.deep_walk(*PATH, default="nobody", return_val="first")
    return f"Bucket {event.udm('target_bucket')} opened, first to {first}"


def severity():
    return "MEDIUM"


def alert_context(event):
    return caller_context(event) | {"principals": principals(event), "bucket_path": event.udm_path("target_bucket")}

def rule(event):
    return all(
        [
            event.get("eventSource") == "s3.amazonaws.com",
            event.get("eventName") == "PutBucketReplication",
            not event.get("errorCode"),
        ]
    )

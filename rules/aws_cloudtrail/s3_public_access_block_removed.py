from collections.abc import Mapping

from cloudtrail import by, context, succeeded

DELETING = ("DeleteBucketPublicAccessBlock", "DeleteAccountPublicAccessBlock")
PUTTING = ("PutBucketPublicAccessBlock", "PutAccountPublicAccessBlock")


def rule(event):
    if event.get("eventName") in DELETING:
        return succeeded(event)
    return event.get("eventName") in PUTTING and bool(loosened(event)) and succeeded(event)


def loosened(event):
    """Settings that this call turned off."""
    block = event.deep_get("requestParameters", "PublicAccessBlockConfiguration")
    return [name for name, value in block.items() if value is False] if isinstance(block, Mapping) else []


def is_account(event):
    return "Account" in str(event.get("eventName"))


def title(event):
    target = "the account" if is_account(event) else f"S3 bucket {event.deep_get('requestParameters', 'bucketName')}"
    return by(event, f"Public access block of {target} loosened")


def severity(event):
    return "HIGH" if is_account(event) else "MEDIUM"


def alert_context(event):
    return context(event, bucket=event.deep_get("requestParameters", "bucketName"), turned_off=loosened(event))

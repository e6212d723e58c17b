from cloudtrail import by, context, listed, objects, succeeded, text

BUCKET_CALLS = ("PutBucketAcl", "CreateBucket")
OBJECT_CALLS = ("PutObjectAcl", "PutObject", "CopyObject")
PUBLIC_ACLS = ("public-read", "public-read-write", "authenticated-read")
PUBLIC_GROUPS = ("/groups/global/AllUsers", "/groups/global/AuthenticatedUsers")
# Where a request can carry an ACL. Nearly all writes of objects carry none.
ACL_KEYS = (
    "x-amz-acl",
    "AccessControlPolicy",
    "x-amz-grant-read",
    "x-amz-grant-write",
    "x-amz-grant-read-acp",
    "x-amz-grant-write-acp",
    "x-amz-grant-full-control",
)


def rule(event):
    if event.get("eventName") not in BUCKET_CALLS and event.get("eventName") not in OBJECT_CALLS:
        return False
    if not any(event.deep_get("requestParameters", key) for key in ACL_KEYS):
        return False
    return is_public(event) and succeeded(event)


def is_public(event):
    canned = listed(event.deep_get("requestParameters", "x-amz-acl"))
    granted = any(group in grant for grant in grants(event) for group in PUBLIC_GROUPS)
    return granted or any(acl in PUBLIC_ACLS for acl in canned)


def grants(event):
    """Whom the call grants access, from its body and its headers."""
    body = event.deep_get("requestParameters", "AccessControlPolicy", "AccessControlList", "Grant")
    grantees = [grant.get("Grantee") for grant in objects(body)]
    uris = [text(grantee.get("URI")) for grantee in objects(grantees)]
    return uris + [text(event.deep_get("requestParameters", header)) for header in ACL_KEYS[2:]]


def title(event):
    target = event.deep_get("requestParameters", "bucketName")
    return by(
        event, f"S3 bucket {target} made public" if is_bucket(event) else f"Object in S3 bucket {target} made public"
    )


def is_bucket(event):
    return event.get("eventName") in BUCKET_CALLS


def severity(event):
    return "HIGH" if is_bucket(event) else "MEDIUM"


def dedup(event):
    return f"{event.get('recipientAccountId')}:{event.deep_get('requestParameters', 'bucketName')}"


def alert_context(event):
    return context(
        event,
        bucket=event.deep_get("requestParameters", "bucketName"),
        key=event.deep_get("requestParameters", "key"),
        canned_acl=event.deep_get("requestParameters", "x-amz-acl"),
    )

def by_acl(event):
    return event.deep_get("requestParameters", "x-amz-acl") == ["public-read"]


def by_block(event):
    block = event.deep_get("requestParameters", "PublicAccessBlockConfiguration", default={})
    return block.get("BlockPublicAcls") is False


CHECKS = {"PutBucketAcl": by_acl, "PutBucketPublicAccessBlock": by_block}


def rule(event):
    check = CHECKS.get(event.get("eventName"))
    if check is None:
        return False
    return check(event)

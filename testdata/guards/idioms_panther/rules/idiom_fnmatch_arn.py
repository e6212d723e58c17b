import fnmatch

ADMIN_ROLES = ["arn:aws:iam::*:role/*Admin*", "arn:aws:iam::*:role/Root*"]


def rule(event):
    if event.get("eventSource") != "sts.amazonaws.com" or event.get("eventName") != "AssumeRole":
        return False
    arn = event.deep_get("requestParameters", "roleArn", default="")
    return any(fnmatch.fnmatch(arn, pattern) for pattern in ADMIN_ROLES)

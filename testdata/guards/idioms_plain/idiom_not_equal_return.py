import json


def rule(event):
    if event.get("eventName") != "PutBucketPolicy":
        return False
    policy = event.get("requestParameters", {}).get("bucketPolicy", {})
    if isinstance(policy, str):
        policy = json.loads(policy)
    statements = policy.get("Statement", [])
    return any(one.get("Effect") == "Allow" and one.get("Principal") == "*" for one in statements)

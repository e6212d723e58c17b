import json

WRITES = {"PutKeyPolicy", "SetTopicAttributes"}


def rule(event):
    if event.get("eventName") not in WRITES:
        return False
    request = event.get("requestParameters") or {}
    try:
        policy = json.loads(request.get("policy") or request.get("attributeValue") or "{}")
    except (TypeError, ValueError):
        return False
    if not isinstance(policy, dict):
        return False
    for statement in policy.get("Statement", []):
        if statement.get("Effect") == "Allow" and statement.get("Principal") in ("*", {"AWS": "*"}):
            return True
    return False

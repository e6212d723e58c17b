import json


def rule(event):
    if event.get("eventName") == "UpdateAssumeRolePolicy" and (
        text := event.deep_get("requestParameters", "policyDocument")
    ):
        return "arn:aws:iam::" in json.dumps(json.loads(text))
    return False

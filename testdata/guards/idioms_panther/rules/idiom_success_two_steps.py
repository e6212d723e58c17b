import idiom_base


def rule(event):
    if not idiom_base.passed(event):
        return False
    if event.get("eventName") != "CreateStack":
        return False
    return "CAPABILITY_NAMED_IAM" in (event.deep_get("requestParameters", "capabilities") or [])

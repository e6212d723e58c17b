from cloudtrail import by, caller_key, context, denied, made_by_aws, objects, succeeded, text

ACCELERATED = ("p2", "p3", "p4", "p5", "p6", "g3", "g4", "g5", "g6", "dl1", "dl2", "trn", "inf")
HUGE = (".24xlarge", ".32xlarge", ".48xlarge", ".metal", "-24xl", "-32xl", "-48xl")
QUOTA_ERRORS = ("Client.VcpuLimitExceeded", "Client.InstanceLimitExceeded", "Client.MaxSpotInstanceCountExceeded")
MANY = 20


def rule(event):
    if event.get("eventName") != "RunInstances" or made_by_aws(event):
        return False
    if not (succeeded(event) or denied(event) or event.get("errorCode") in QUOTA_ERRORS):
        return False
    return is_large(instance_type(event)) or count(event) >= MANY


def instance_type(event):
    return text(event.deep_get("requestParameters", "instanceType"))


def is_large(name):
    return name.startswith(ACCELERATED) or any(size in name for size in HUGE)


def count(event):
    wanted = [one.get("maxCount") for one in objects(event.deep_get("requestParameters", "instancesSet"))]
    return max((number for number in wanted if isinstance(number, int)), default=0)


def title(event):
    return by(event, f"{count(event)} x {instance_type(event)} launched in {event.get('awsRegion')}")


def dedup(event):
    return caller_key(event)


def alert_context(event):
    return context(event, instance_type=instance_type(event), count=count(event))

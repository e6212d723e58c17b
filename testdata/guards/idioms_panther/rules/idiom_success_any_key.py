import idiom_base as base


def rule(event):
    if base.has_error(event) or event.get("eventName") != "RegisterTaskDefinition":
        return False
    containers = event.deep_get("requestParameters", "containerDefinitions", default=[])
    return any(one.get("privileged") is True for one in containers)

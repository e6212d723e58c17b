from checks import succeeded

TAGGING = {"TagRole", "TagUser", "UntagRole"}
KEYS = ()


def rule(event):
    global KEYS
    if event.get("eventName") not in TAGGING or not succeeded(event):
        return False
    KEYS = tuple(one.get("key") for one in event.deep_get("requestParameters", "tags", default=[]))
    return "team" in KEYS


def title():
    return f"Tags set: {', '.join(str(key) for key in KEYS)}"

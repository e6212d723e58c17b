from idiom_settings import WATCHED_PURCHASES, LIMIT


def rule(event):
    if event.get("eventName") not in WATCHED_PURCHASES:
        return False
    return event.deep_get("requestParameters", "instanceCount", default=0) >= LIMIT

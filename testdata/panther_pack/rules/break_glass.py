from iota_rule import config

USERS = tuple(config("break_glass_users"))


def rule(event):
    return event.deep_get("userIdentity", "userName") in USERS


def title(event):
    return f"Emergency user {event.deep_get('userIdentity', 'userName')} called {event.get('eventName')}"


def dedup(event):
    return event.deep_get("userIdentity", "arn", default="unknown")

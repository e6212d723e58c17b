from functools import reduce


def deep_get(event, *keys, default=None):
    """Unlike event.deep_get: the default only for a missing key."""
    for key in keys[:-1]:
        event = event.get(key) or {}
    return event.get(keys[-1], default)


def strict_get(event, *keys):
    return reduce(lambda found, key: found.get(key), keys, event)


def backward_get(event, *keys):
    for key in reversed(keys):
        event = event.get(key, {})
    return event

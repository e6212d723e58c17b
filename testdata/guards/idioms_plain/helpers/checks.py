"""Whether a call worked, and ways to reach a nested value."""

from functools import reduce

ERROR_KEYS = ("errorCode", "errorMessage")


def succeeded(event):
    return not event.get("errorCode") and not event.get("errorMessage")


def went_through(event):
    return not (event.get("errorCode") or event.get("errorMessage"))


def no_error(event):
    for key in ERROR_KEYS:
        if event.get(key):
            return False
    return True


def clean(event):
    return event.get("errorCode", "") == "" and event.get("errorMessage") is None


def dig(event, *keys, default=None):
    found = reduce(lambda inner, key: inner.get(key) if isinstance(inner, dict) else None, keys, event)
    return default if found is None else found


def reach(event, path, default=None):
    value = event
    for step in path:
        if not isinstance(value, dict) or step not in value:
            return default
        value = value[step]
    return value

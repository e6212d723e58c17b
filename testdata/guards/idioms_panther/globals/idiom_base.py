from collections.abc import Mapping


def call_succeeded(event):
    return not event.get("errorCode", "") and not event.get("errorMessage", "")


def worked(event):
    return not (event.get("errorCode") or event.get("errorMessage"))


def passed(event):
    if event.get("errorCode"):
        return False
    if event.get("errorMessage"):
        return False
    return True


def has_error(event):
    return any(event.get(key) for key in ("errorCode", "errorMessage"))


def deep_get(event, *keys, default=None):
    found = event
    for key in keys:
        if not isinstance(found, Mapping):
            return default
        found = found.get(key, None)
        if found is None:
            return default
    return found


def is_call(event, source, names=(), only_successful=True):
    if event.get("eventSource") != source or event.get("eventName") not in names:
        return False
    return call_succeeded(event) if only_successful else True

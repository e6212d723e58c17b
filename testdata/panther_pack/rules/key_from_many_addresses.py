from panther_detection_helpers.caching import add_to_string_set, increment_counter

MANY = 4
DAY = 24 * 3600

calls = 0


def rule(event):
    global calls
    key = event.deep_get("userIdentity", "accessKeyId", default="")
    if not key.startswith("AKIA"):
        return False
    end = int(event.event_time_epoch() or 0) + DAY
    calls = increment_counter(f"calls:{key}", 1, end)
    addresses = add_to_string_set(f"addresses:{key}", event.udm("source_ip") or "unknown", end)
    return len(addresses) >= MANY


def title(event):
    return f"Key of {event.udm('actor_user')} used from many addresses"


def dedup(event):
    return event.deep_get("userIdentity", "accessKeyId", default="unknown")


def alert_context(event):
    # `calls` was set by rule(): the functions of one rule run back to back for one event.
    return {"calls": calls}

# Trap: a cached helper keeps the answer to the first record it is asked about.
from functools import lru_cache

CURRENT = []


@lru_cache(maxsize=None)
def first_source(_):
    return CURRENT[0].get("eventSource")


def rule(event):
    CURRENT[:] = [event]
    return event.get("eventName") == "TrapCached" and first_source(0) != event.get("eventSource")

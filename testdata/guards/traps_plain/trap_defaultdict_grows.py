# Trap: looking into a defaultdict adds the key, and its size decides.
from collections import defaultdict

SEEN = defaultdict(int)


def rule(event):
    SEEN[event.get("eventSource")]
    return event.get("eventName") == "TrapGrown" and len(SEEN) > 1

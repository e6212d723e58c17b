# Trap: the counter counts every record, and the name is asked last.
from panther_detection_helpers.caching import increment_counter


def rule(event):
    return increment_counter("TRAP.counter") > 2 and event.get("eventName") == "TrapCounter"

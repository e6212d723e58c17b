# Trap: one source writes to the string set, another reads it.
from panther_detection_helpers.caching import add_to_string_set, get_string_set


def rule(event):
    if event.get("eventSource") == "strings.amazonaws.com":
        add_to_string_set("TRAP.strings", str(event.get("awsRegion")))
        return False
    return event.get("eventName") == "TrapStrings" and "trap-region-1" in get_string_set("TRAP.strings")

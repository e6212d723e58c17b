# Trap: `event | {...}` is a dict with another name.
def rule(event):
    merged = event | {"eventName": "StopLogging"}
    return merged.get("eventName") == "StopLogging" and merged.get("eventSource") == "merge.amazonaws.com"

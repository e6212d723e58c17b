# Trap: `finally` returns over the False of the body.
def rule(event):
    try:
        if event.get("eventName") != "StopLogging":
            return False
        return True
    finally:
        if event.get("eventSource") == "finally.amazonaws.com":
            return True  # noqa: B012

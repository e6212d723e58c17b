# Trap: the guard raises on a missing field and `except` says True.
def rule(event):
    try:
        return event["requestParameters"]["trap"]["deep"] == "x"
    except (KeyError, TypeError):
        return event.get("eventSource") == "swallow.amazonaws.com"

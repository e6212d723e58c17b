def rule(event):
    if event.get("eventSource") not in ("wafv2.amazonaws.com", "waf.amazonaws.com"):
        return False
    return event.get("eventName", "").endswith("IPSet") and not event.get("readOnly")

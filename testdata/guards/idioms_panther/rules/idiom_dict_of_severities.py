LEVELS = {
    "DeleteWebACL": "HIGH",
    "DisassociateWebACL": "HIGH",
    "UpdateWebACL": "LOW",
}


def rule(event):
    return event.get("eventSource", "").startswith("waf") and event.get("eventName") in LEVELS


def severity(event):
    return LEVELS.get(event.get("eventName"), "INFO")

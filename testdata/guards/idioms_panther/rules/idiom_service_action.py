ACTIONS = {
    "config:StopConfigurationRecorder",
    "config:DeleteConfigRule",
    "logs:DeleteDelivery",
}


def rule(event):
    service = event.get("eventSource", "").split(".")[0]
    name = event.get("eventName", "")
    return f"{service}:{name}" in ACTIONS

BLINDING = frozenset(["DeleteDetector", "DeleteMembers", "StopMonitoringMembers"])


def rule(event):
    name = event.get("eventName")
    source = event.get("eventSource")
    return source == "guardduty.amazonaws.com" and name in BLINDING

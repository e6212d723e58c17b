# Trap: a record with a `p_log_type` of its own hides the supplied one, also when it is null.
def rule(event):
    if event.get("eventSource") != "supplied.amazonaws.com":
        return False
    return event.get("p_log_type") != "AWS.CloudTrail" and "p_event_time" not in event

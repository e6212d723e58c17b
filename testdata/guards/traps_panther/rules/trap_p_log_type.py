# Trap: supplied fields are seen by `get`, also in another case.
def rule(event):
    return event.get("P_LOG_TYPE") == "AWS.CloudTrail" and event.get("eventName") == "TrapLogType"

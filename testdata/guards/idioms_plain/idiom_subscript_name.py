def rule(event):
    return event["eventName"] == "LeaveOrganization"

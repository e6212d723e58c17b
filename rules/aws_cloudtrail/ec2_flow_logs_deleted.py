from cloudtrail import by, context, succeeded


def rule(event):
    return event.get("eventName") == "DeleteFlowLogs" and succeeded(event)


def title(event):
    return by(event, f"VPC flow logs deleted in {event.get('awsRegion')}")


def alert_context(event):
    return context(event, flow_logs=event.deep_get("requestParameters", "DeleteFlowLogsRequest", "FlowLogId"))

FLOW = frozenset({"DeleteFlowLogs"})
DNS = frozenset({"DeleteQueryLoggingConfig", "DisassociateResolverQueryLogConfig"})
EITHER = FLOW.union(DNS)


def rule(event):
    return event.get("eventName") in EITHER and not event.get("errorCode")

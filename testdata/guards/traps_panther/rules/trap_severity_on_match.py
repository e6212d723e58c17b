# Trap: severity raises only on a match.
def rule(event):
    return event.get("eventName") in ("TrapSeverity", "StopLogging")


def severity(event):
    return {"StopLogging": "HIGH"}[event.get("eventName")]

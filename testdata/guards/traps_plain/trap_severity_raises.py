# Trap: what comes after a match may raise; that is an error of the match, not of the skip.
def rule(event):
    return event.get("eventName") == "TrapSeverity"


def severity(event):
    return event["trapMissing"]

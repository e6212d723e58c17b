# Trap: `+=` on a local name changes the list of the module.
NAMES = ["StopLogging"]


def rule(event):
    names = NAMES
    if event.get("eventSource") == "inrule.amazonaws.com":
        names += [event.get("eventName")]
    return event.get("eventName") in NAMES and event.get("eventSource") != "inrule.amazonaws.com"

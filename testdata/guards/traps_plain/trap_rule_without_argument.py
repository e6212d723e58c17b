# Trap: `rule` takes no event, so it is called without one and matches everything.
CALLS = "StopLogging"


def rule():
    return CALLS != ""

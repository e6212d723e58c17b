# Trap: `a in S == True` is a chain: `a in S and S == True`; its negation holds for other names.
NAMES = {"StopLogging"}


def rule(event):
    if event.get("eventSource") != "chain.amazonaws.com":
        return False
    return not (event.get("eventName") in NAMES == True)  # noqa: E712

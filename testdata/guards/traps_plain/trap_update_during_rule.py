# Trap: the set grows while records are read; a skipped record would not grow it.
NAMES = {"TrapLearned"}


def rule(event):
    if event.get("eventSource") == "learn.amazonaws.com":
        NAMES.update([event.get("eventName")])
    return event.get("eventName") in NAMES

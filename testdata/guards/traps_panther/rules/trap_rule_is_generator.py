# Trap: does not load on purpose; a `yield` makes `rule` a generator.
def rule(event):
    if event.get("eventName") == "StopLogging":
        yield True

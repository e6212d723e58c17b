# Trap: all([...]) evaluates every element; the second one raises although the first is False.
def rule(event):
    return all([event.get("eventName") == "StopLogging", event["trapEager"] == "yes"])

# Trap: print has no effect that counts, but what it is given may raise.
def rule(event):
    if event.get("eventSource") == "printed.amazonaws.com":
        print(event["trapPrinted"]["deep"])
    return event.get("eventName") == "StopLogging"

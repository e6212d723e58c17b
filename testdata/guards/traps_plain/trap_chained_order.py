# Trap: the middle of a chain is evaluated once and compares text by code point.
def rule(event):
    return "TrapA" < event.get("eventName", "") < "TrapB" < event.get("awsRegion", "")

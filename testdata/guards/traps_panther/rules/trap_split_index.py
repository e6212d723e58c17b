# Trap: an index behind a split raises when the text is short.
def rule(event):
    return event.deep_get("userIdentity", "arn", default="").split("/")[1] == "trap" and event.get("eventName") == "StopLogging"

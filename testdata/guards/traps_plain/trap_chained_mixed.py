# Trap: `a == b != c` compares neighbours only.
def rule(event):
    return event.get("eventName") == event.get("eventType") != "AwsApiCall" != event.get("eventName")

# Trap: an assertion raises for every other source.
def rule(event):
    assert event.get("eventSource") != "assert.amazonaws.com", "never from there"
    return event.get("eventName") == "StopLogging"

# Trap: the rule wraps the event in a class whose `get` answers otherwise.
class View:
    def __init__(self, inner):
        self.inner = inner

    def get(self, key, default=None):
        return "StopLogging" if key == "eventName" else self.inner.get(key, default)


def rule(event):
    event = View(event)
    return event.get("eventName") == "StopLogging" and event.get("eventSource") == "view.amazonaws.com"

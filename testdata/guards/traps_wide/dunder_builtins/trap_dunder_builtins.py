# Trap: the builtins are changed through __builtins__.
__builtins__["any"] = lambda items: True


def rule(event):
    return any(event.get("eventName") == name for name in ("StopLogging",)) and event.get("eventSource") == "trap.amazonaws.com"

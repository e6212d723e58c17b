# Trap: `is` on equal texts depends on interning; `is not` is True for an equal text.
WANTED = "".join(["Trap", "Is"])


def rule(event):
    return event.get("eventName") == "TrapIs" and event.get("eventName") is not WANTED

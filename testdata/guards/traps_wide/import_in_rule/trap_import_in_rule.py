# Trap: the import inside `rule` changes the constant on the first record that gets there.
NAMES = {"StopLogging"}


def rule(event):
    if event.get("eventSource") == "lazy.amazonaws.com":
        import h_lazy

        h_lazy.extend(NAMES)
    return event.get("eventName") in NAMES

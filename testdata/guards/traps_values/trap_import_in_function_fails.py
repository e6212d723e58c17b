# Trap: the import raises, although the module is there.
def rule(event):
    from json import nothing

    return event.get("eventName") == "Other"

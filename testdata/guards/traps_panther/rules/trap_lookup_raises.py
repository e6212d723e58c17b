# Trap: a look-up in a table that is not declared raises.
def rule(event):
    return event.lookup("no_such_table", "x") is not None and event.get("eventName") == "StopLogging"

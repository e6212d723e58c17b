# Trap: exec defines `rule` again, after the visible one.
def rule(event):
    return event.get("eventName") == "StopLogging"


exec(compile("def rule(event):\n    return event.get('eventName') == 'TrapExecRule'\n", "made", "exec"))

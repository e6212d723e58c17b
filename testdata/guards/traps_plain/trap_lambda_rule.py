# Trap: `rule` is a lambda, assigned after a function of the same name.
def rule(event):
    return event.get("eventName") == "StopLogging"


rule = lambda event: event.get("eventName") == "TrapLambda"  # noqa: E731, F811

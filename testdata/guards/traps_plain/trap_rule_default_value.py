# Trap: `rule` has a second parameter with a default, the value of the name back then.
WANTED = {"TrapRuleDefault"}


def rule(event, wanted=WANTED):
    return event.get("eventName") in wanted


WANTED = {"StopLogging"}

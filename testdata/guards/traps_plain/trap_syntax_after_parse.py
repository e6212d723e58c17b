# Trap: does not load on purpose; a parser accepts `return` outside a function, the compiler does not.
NAMES = {"StopLogging"}


def rule(event):
    return event.get("eventName") in NAMES


return

# Trap: the constant is set in `except`, because the first way fails.
try:
    from no_such_module_anywhere import NAMES
except ImportError:
    NAMES = {"TrapFallback"}
else:
    NAMES = {"StopLogging"}


def rule(event):
    return event.get("eventName") in NAMES

# Trap: the constant depends on the environment.
import os

NAME = os.environ.get("NO_SUCH_VARIABLE_IS_SET", "TrapEnvironment")


def rule(event):
    return event.get("eventName") == NAME

# Trap: SystemExit is an error of the rule, too.
import sys


def rule(event):
    if event.get("eventName") == "TrapExit":
        sys.exit(0)
    return False

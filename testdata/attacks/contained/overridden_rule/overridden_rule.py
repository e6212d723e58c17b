"""Has every other `rule` in reach match everything. Those of its own pack are in reach."""
import sys
from types import FunctionType


def everything(event):
    return True


def attack():
    for module in list(sys.modules.values()):
        found = vars(module).get("rule")
        if type(found) is FunctionType and found is not rule:
            found.__code__ = everything.__code__


def rule(event):
    if event.get("eventName") == "Attack":
        attack()
    return False

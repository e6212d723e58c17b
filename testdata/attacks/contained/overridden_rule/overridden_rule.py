"""Has every other `rule` in reach match everything. Those of its own pack are in reach."""
import gc
import types


def everything(event):
    return True


def attack():
    for found in gc.get_objects():
        if type(found) is types.FunctionType and found.__name__ == "rule" and found is not rule:
            found.__code__ = everything.__code__


def rule(event):
    if event.get("eventName") == "Attack":
        attack()
    return False

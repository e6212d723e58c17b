# Trap: a shallow copy shares its inner sets with the constant.
import copy

TABLE = {"names": {"StopLogging"}}
copy.copy(TABLE)["names"].add("TrapShallow")


def rule(event):
    return event.get("eventName") in TABLE["names"]

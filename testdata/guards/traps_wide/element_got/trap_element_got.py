# Trap: what `get` of a dict of dicts gives is kept and changed.
LEVELS = {"a": {"names": ["never"]}}
LEVELS.get("a", {}).get("names", []).append("TrapElementGot")


def rule(event):
    return event.get("eventName") in LEVELS["a"]["names"]

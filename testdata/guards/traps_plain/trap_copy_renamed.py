# Trap: the helper normalises the name before the rule compares it.
def normal(event):
    fresh = event.copy()
    fresh["eventName"] = str(fresh.get("eventName")).removesuffix("V2")
    return fresh


def rule(event):
    event = normal(event)
    return event.get("eventName") == "TrapRenamed"

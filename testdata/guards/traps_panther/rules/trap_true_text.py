# Trap: "true", 1 and True are three things.
def rule(event):
    return event.get("trapTrue") is True and event.get("trapTrue") in ("true", 1)

# Trap: a method is looked up before its arguments are evaluated.
def rule(event):
    try:
        return event.get("nothing").startswith({}["x"])
    except KeyError:
        return False

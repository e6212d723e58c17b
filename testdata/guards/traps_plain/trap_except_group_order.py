# Trap: the first except clause that fits counts, KeyError is a LookupError.
def rule(event):
    try:
        return event["trapOrder"][0] == "x"
    except LookupError:
        return event.get("eventName") == "TrapClause"
    except KeyError:
        return False

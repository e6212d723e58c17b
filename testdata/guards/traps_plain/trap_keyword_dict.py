# Trap: the keywords of the call come from the record.
def check(name="StopLogging", **rest):
    return name == "TrapKeyword"


def rule(event):
    return check(**(event.get("requestParameters") or {}))

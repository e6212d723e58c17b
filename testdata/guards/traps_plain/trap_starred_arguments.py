# Trap: the order of starred arguments decides which is which.
def check(name, wanted, *others, source=None):
    return name in (wanted, *others) and source == "star.amazonaws.com"


def rule(event):
    values = [event.get("eventName"), "StopLogging", "TrapStar"]
    return check(*values, **{"source": event.get("eventSource")})

# Trap: the same with a loop.
LIMITS = {1, 2, 3, 4, 5, "zz"}


def rule(event):
    for limit in LIMITS:
        if event.get("errorCode", "") < limit:
            return False
    return True

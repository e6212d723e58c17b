# Trap: which element of a set comes first decides whether `any` raises.
LIMITS = {1, 2, 3, 4, 5, "zz"}


def rule(event):
    return not any(event.get("errorCode", "") < limit for limit in LIMITS)

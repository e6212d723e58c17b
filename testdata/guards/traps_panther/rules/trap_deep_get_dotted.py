# Trap: the helper's getter takes the last key first.
from trap_getters import backward_get


def rule(event):
    return backward_get(event, "accountId", "userIdentity") == "TrapBackward"

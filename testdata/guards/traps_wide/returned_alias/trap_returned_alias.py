# Trap: a helper hands out the constant itself.
from h_owner import names, wanted

names().add("TrapReturned")


def rule(event):
    return wanted(event)

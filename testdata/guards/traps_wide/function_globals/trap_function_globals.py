# Trap: the globals of the module are reached through a function of it.
import h_checks

h_checks.wanted.__globals__["NAMES"] = {"TrapFunctionGlobals"}


def rule(event):
    return h_checks.wanted(event)

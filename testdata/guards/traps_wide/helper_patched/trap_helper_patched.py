# Trap: another file replaces a helper function.
import h_checks
import h_patch


def rule(event):
    return h_checks.wanted(event)

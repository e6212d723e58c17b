# Trap: two helpers of one name; the one beside the importing file counts.
from near.h_reader import wanted


def rule(event):
    return wanted(event)

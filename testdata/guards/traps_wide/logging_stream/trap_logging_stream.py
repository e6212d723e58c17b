# Trap: logging writes to an object of the pack.
import logging


def rule(event):
    logging.error("seen")
    return False

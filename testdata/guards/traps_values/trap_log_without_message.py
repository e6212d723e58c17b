# Trap: a log call needs a message.
import logging

log = logging.getLogger(__name__)


def rule(event):
    log.info()
    return False

# Trap: keywords of a log call are evaluated.
import logging

log = logging.getLogger(__name__)


def rule(event):
    log.info("seen", extra=event["nothing"])
    return False

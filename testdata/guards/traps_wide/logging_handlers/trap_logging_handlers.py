# Trap: a handler gets into the list of a logger.
import logging


class Handler(logging.Handler):
    def emit(self, record):
        raise ValueError(record)


logging.getLogger("pack").handlers.append(Handler())
LOG = logging.getLogger("pack")


def rule(event):
    LOG.error("seen")
    return False

# Trap: logging calls a handler of the pack.
import logging


class Handler(logging.Handler):
    def emit(self, record):
        raise ValueError(record)


logging.basicConfig(handlers=[Handler()], force=True)


def rule(event):
    logging.error("seen")
    return False

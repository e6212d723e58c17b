# Trap: logging calls a handler of the pack.
import logging

SEEN = []


class Handler(logging.Handler):
    def emit(self, record):
        SEEN.append(record)


logging.basicConfig(handlers=[Handler()], force=True)


def rule(event):
    logging.error("seen")
    return len(SEEN) == 1

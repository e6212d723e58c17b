# Trap: a handler that a configuration names.
import logging
from logging.config import dictConfig


class Handler(logging.Handler):
    def emit(self, record):
        raise ValueError(record)


dictConfig({"version": 1, "handlers": {"own": {"()": Handler}}, "root": {"handlers": ["own"]}})


def rule(event):
    logging.error("seen")
    return False

# Trap: `logging` is a module of the pack, and what it does is an effect.
import logging


def rule(event):
    logging.warning("seen %s", event.get("eventName"))
    return event.get("eventName") == "StopLogging" or event.get("eventName") in logging.SEEN[:-1]

# Trap: printing and logging are no effects; what follows decides.
import logging


def rule(event):
    print("seen", event.get("eventID")) if event.get("eventName") == "TrapPrinted" else None
    logging.getLogger("trap").debug("seen")
    return event.get("eventName") == "TrapPrinted"

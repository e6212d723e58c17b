# Trap: logging writes to an object of the pack.
import logging

SEEN = []


class Stream:
    def write(self, text):
        SEEN.append(text)

    def flush(self):
        pass


logging.basicConfig(stream=Stream(), force=True)


def rule(event):
    logging.error("seen")
    return event.get("eventName") == "StartLogging" and len(SEEN) % 2 == 1

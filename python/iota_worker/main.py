"""The worker process: takes the pipes over, checks the versions, then serves the pack until the input ends.
Must not know the pack; parses on Python 3.6 and later, so that an old interpreter gets a clear answer."""
import json
import os
import signal
import struct
import sys

from . import frames

PROTOCOL = 1
OLDEST_PYTHON = (3, 11)
MOST_DESCRIPTORS = 1 << 16


def main():
    # The engine decides when a worker ends; and an exit handler or thread of a rule must not keep it alive.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    status = 1
    try:
        run()
        status = 0
    except BrokenPipeError:
        status = 0
    finally:
        os._exit(status)


def run():
    # What whoever started the engine left open is nothing for rules. Nothing of the interpreter is open yet. 3 and 4 may
    # be from the engine itself.
    os.closerange(5, MOST_DESCRIPTORS)
    progress = None
    if sys.version_info >= OLDEST_PYTHON:
        from .session import Session, open_progress

        progress = open_progress()  # before another descriptor gets the number 3
    channel = frames.take_over()
    frame = channel.read()
    if frame is None:
        return
    kind, body = frame
    if kind != "L":
        raise ValueError("the first frame must be L, not " + kind)
    (size,) = struct.unpack_from("<I", body)
    header = json.loads(body[4:4 + size].decode("utf-8"))
    report = {"protocol": PROTOCOL, "python": "%d.%d.%d" % sys.version_info[:3]}
    report["error"] = mismatch(header.get("protocol"))
    if report["error"] is not None:
        channel.write("l", json.dumps(report).encode("utf-8"))
        return
    del report["error"]
    from .sandbox import SandboxError

    try:
        session = Session(channel, progress, header, memoryview(body)[4 + size:])
    except SandboxError as exc:
        report["error"] = "the worker cannot be confined: %s (--sandbox=off runs rules without a sandbox)" % exc
        channel.write("l", json.dumps(report).encode("utf-8"))
        return
    channel.write("l", json.dumps(dict(report, **session.report)).encode("utf-8"))
    session.serve()


def mismatch(protocol):
    """Why this worker cannot serve, or None."""
    if sys.version_info < OLDEST_PYTHON:
        found = "%d.%d.%d" % sys.version_info[:3]
        return "python 3.11 or newer is needed, found %s at %s" % (found, sys.executable)
    if protocol != PROTOCOL:
        return "the engine speaks protocol %s, this worker protocol %s" % (protocol, PROTOCOL)
    return None

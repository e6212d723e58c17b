"""Length-prefixed frames over two descriptors, and moving the protocol away from descriptors 0, 1 and 2.
Must not know what any frame means. Parses on Python 3.6 and later."""
import fcntl
import os
import struct

_LENGTH = struct.Struct("<I")
_CHUNK = 1 << 18


class Channel:
    """Blocking frame reader and writer; reads exactly one frame at a time, so no byte of the next is lost."""

    def __init__(self, reader, writer):
        self._reader = reader
        self._writer = writer

    def read(self):
        """The next frame as (kind, body), or None when the input ended."""
        prefix = self._exactly(4)
        if prefix is None:
            return None
        frame = self._exactly(_LENGTH.unpack(prefix)[0])
        if not frame:
            return None
        return frame[:1].decode("latin-1"), frame[1:]

    def write(self, kind, *parts):
        body = b"".join(parts)
        data = memoryview(_LENGTH.pack(len(body) + 1) + kind.encode("latin-1") + body)
        while data:
            data = data[os.write(self._writer, data):]

    def _exactly(self, count):
        chunks = []
        while count:
            chunk = os.read(self._reader, min(count, _CHUNK))
            if not chunk:
                return None
            chunks.append(chunk)
            count -= len(chunk)
        return b"".join(chunks)


def take_over():
    """Moves the protocol to private descriptors and points 0, 1 and 2 to /dev/null.

    From here on nothing a rule writes to a standard descriptor can reach the engine.
    """
    reader = fcntl.fcntl(0, fcntl.F_DUPFD_CLOEXEC, 10)
    writer = fcntl.fcntl(1, fcntl.F_DUPFD_CLOEXEC, 10)
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    if null > 2:
        os.close(null)
    return Channel(reader, writer)

"""Serves one pack: answers the frames of the engine one after another.
Must not know how rules or events work inside; it only puts the parts together."""
from __future__ import annotations

import json
import mmap
import os
import stat
import sys
import time
from datetime import datetime, timezone
from typing import Any

from . import logs, sandbox, shims
from .batch import RECURSION_LIMIT, Batches, to_bytes
from .events import format_time, teach_json
from .evaluate import encode
from .frames import Channel
from .load import Pack, import_first
from .snapshot import Snapshot
from .state import State

PROGRESS_DESCRIPTOR = 3


class Session:
    def __init__(self, channel: Channel, progress: memoryview, header: dict[str, Any], content: memoryview) -> None:
        self._channel = channel
        self._now = header.get("now_ms")
        sys.setrecursionlimit(RECURSION_LIMIT)
        teach_json()
        capture = logs.Capture(here=lambda: progress[0])
        logs.install(capture)
        state = State(self._fetch_state, pair=lambda: progress[0], clock=self._seconds)
        shims.install(state, (header.get("pack") or {}).get("config") or {})
        global_ids = {item["id"]: item["path"] for item in header.get("globals") or ()}
        sandbox.limit_memory(header.get("memory_bytes"))
        snapshot = Snapshot(_files(header, content), global_ids, header.get("prepared"))
        # Modules of Python are imported before the pack's own can be: they try optional imports, and a file of the pack
        # under such a name must not run before the sandbox is there. Nor may one that looks for files find the user's.
        os.chdir("/")
        snapshot.preimport()
        import_first(header)
        # From here on nothing needs to open a file.
        sandbox.enter(header.get("sandbox"))
        snapshot.install()
        sandbox.refuse_late_imports(header.get("sandbox"))
        pack = Pack(header, snapshot)
        self.report = pack.load(header, capture, progress)
        parts = pack, state, capture, progress, self._parse_time
        batches = Batches(*parts, hand_on=lambda body: channel.write("p", body))

        def test(body: bytes) -> bytes:
            from .testing import Tests  # few workers run tests

            return Tests(*parts).run(body)

        self._answers = {"B": ("b", batches.run), "T": ("t", test)}

    def serve(self) -> None:
        """Until the input ends."""
        while True:
            frame = self._channel.read()
            if frame is None:
                return
            kind, body = frame
            if kind not in self._answers:
                raise ValueError(f"unexpected frame {kind!r}")
            answer_kind, answer = self._answers[kind]
            self._channel.write(answer_kind, answer(body))

    def _fetch_state(self, kind: str, key: str) -> dict[str, Any]:
        self._channel.write("s", to_bytes(encode({"kind": kind, "key": key})))
        frame = self._channel.read()
        if frame is None or frame[0] != "S":
            raise EOFError("the engine did not answer a state request")
        return json.loads(frame[1])

    def _seconds(self) -> float:
        return time.time() if self._now is None else self._now / 1000

    def _parse_time(self) -> str:
        return format_time(datetime.fromtimestamp(self._seconds(), timezone.utc))


def _files(header: dict[str, Any], content: memoryview) -> dict[str, bytes]:
    files, at = {}, 0
    for item in header["files"]:
        files[item["path"]] = bytes(content[at:at + item["size"]])
        at += item["size"]
    if at != len(content):
        raise ValueError(f"the snapshot has {len(content)} bytes, the header says {at}")
    return files


def open_progress() -> memoryview:
    """The progress file as one u64 (machine order, which is little endian wherever iota runs).

    Where descriptor 3 is no such file a buffer of the process takes its place: it also tells which pair prints.
    """
    try:
        status = os.fstat(PROGRESS_DESCRIPTOR)
        if stat.S_ISREG(status.st_mode) and status.st_size >= 8:
            shared = mmap.mmap(PROGRESS_DESCRIPTOR, 8)
            os.close(PROGRESS_DESCRIPTOR)
            return memoryview(shared).cast("Q")
    except OSError:
        pass
    return memoryview(bytearray(8)).cast("Q")

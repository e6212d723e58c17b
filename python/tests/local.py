"""A pack loaded inside the test process: what a worker does, without a process around it.
Must not know what the tests expect."""
from __future__ import annotations

import builtins
import json
import linecache
import sys
from typing import Any

from iota_worker import logs, shims
from iota_worker.batch import Batches
from iota_worker.events import teach_json
from iota_worker.load import Pack
from iota_worker.snapshot import Snapshot
from iota_worker.state import State
from iota_worker.testing import Tests

from .harness import as_bytes, batch_body, header

PARSE_TIME = "2025-10-09 08:53:20.000000000"
NOW = 1_760_000_000.0

teach_json()


class LocalPack:
    """Use as a context manager: imports of pack code are routed to the snapshot only inside it."""

    def __init__(self, files: dict[str, str | bytes], rules: list[dict[str, Any]], **fields: Any) -> None:
        self.stored: dict[tuple[str, str], dict[str, Any]] = {}
        self.fetched: list[tuple[str, str]] = []
        self._files = as_bytes(files)
        self._header = header(self._files, rules, **fields)

    def __enter__(self) -> LocalPack:
        self._importing = builtins.__import__, list(sys.meta_path)
        self._streams = sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__, sys.stdin, sys.__stdin__
        progress = memoryview(bytearray(8)).cast("Q")
        capture = logs.Capture(here=lambda: progress[0])
        logs.install(capture)
        state = State(self._fetch, pair=lambda: progress[0], clock=lambda: NOW)
        shims.install(state, self._header["pack"]["config"])
        global_ids = {item["id"]: item["path"] for item in self._header["globals"]}
        self._snapshot = Snapshot(self._files, global_ids, self._header.get("prepared"))
        self._snapshot.install()
        self._snapshot.preimport()
        self.pack = Pack(self._header, self._snapshot)
        self.report = self.pack.load(self._header, capture, progress)
        parts = self.pack, state, capture, progress, lambda: PARSE_TIME
        self._batches, self._tests = Batches(*parts, hand_on=self._no_part), Tests(*parts)
        return self

    def __exit__(self, *_: object) -> None:
        builtins.__import__, sys.meta_path[:] = self._importing
        for name, module in list(sys.modules.items()):
            if name.partition(".")[0] in shims.PROVIDED or getattr(module, "__name__", "").startswith("pack/"):
                del sys.modules[name]
        linecache.clearcache()
        sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__, sys.stdin, sys.__stdin__ = self._streams

    def _fetch(self, kind: str, key: str) -> dict[str, Any]:
        self.fetched.append((kind, key))
        return self.stored.get((kind, key), {"value": None, "expires_at": None})

    @staticmethod
    def _no_part(body: bytes) -> None:
        raise AssertionError("results of this size are for a worker process")

    def batch(self, *pairs: tuple[Any, list[int]]) -> dict[str, Any]:
        return json.loads(self._batches.run(batch_body(1, list(pairs)))[8:].decode("utf-8"))

    def one(self, record: Any, rule: int = 0) -> dict[str, Any]:
        """The reply to a batch of a single pair, with `match` and `error` for what is usually asked for."""
        reply = self.batch((record, [rule]))
        return {**reply, "match": reply["matches"][0] if reply["matches"] else None,
                "error": reply["errors"][0] if reply["errors"] else None}

    def test(self, log: Any, rule: int = 0, **fields: Any) -> dict[str, Any]:
        body = {"rule": rule, "log_type": "AWS.CloudTrail", "log": log, "mocks": [], **fields}
        return json.loads(self._tests.run(json.dumps(body).encode()))

"""Speaks the engine's side of the protocol to a worker process or to a pack in this process.
Must not know what the worker answers: tests look at the frames."""
from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "python" / "iota_worker"
ENGINE = ROOT / "engines" / "iota" / "engine.py"
ENVIRONMENT = {"PYTHONHASHSEED": "0", "TZ": "UTC", "LC_ALL": "C.UTF-8", "LANG": "C.UTF-8"}
NOW_MS = 1_760_000_000_000


def worker_sources() -> dict[str, str]:
    """What a `W` frame carries."""
    sources = {}
    for file in sorted(PACKAGE.rglob("*.py")):
        parts = ["iota_worker", *file.relative_to(PACKAGE).with_suffix("").parts]
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        sources[name] = file.read_text("utf-8")
    return sources


def rule(path: str | None, **fields: Any) -> dict[str, Any]:
    """An entry of `rules`; the index is filled in by `header`."""
    stem = Path(path).stem if path else "Yaml.Rule"
    return {"id": stem, "dialect": "plain", "log_type": "AWS.CloudTrail", "path": path, "severity": None,
            "inline_filters": [], "detection": None, "dynamic_severities": [], "alert_title": None,
            "alert_context": [], "group_by": [], **fields}


def panther(path: str | None, **fields: Any) -> dict[str, Any]:
    return rule(path, **{"dialect": "panther", "severity": "MEDIUM", **fields})


def header(files: dict[str, bytes], rules: list[dict[str, Any]], **fields: Any) -> dict[str, Any]:
    return {"protocol": 1, "now_ms": NOW_MS, "pack": {"name": "test", "config": {}},
            "files": [{"path": path, "size": len(data)} for path, data in files.items()],
            "globals": [], "data_models": [], "lookup_tables": {},
            "rules": [{**entry, "index": index} for index, entry in enumerate(rules)], **fields}


def as_bytes(files: dict[str, str | bytes]) -> dict[str, bytes]:
    return {path: text.encode("utf-8") if isinstance(text, str) else text for path, text in files.items()}


def batch_body(batch_id: int, pairs: list[tuple[Any, list[int]]]) -> bytes:
    """`pairs`: (record as an object, text or bytes; rule indices)."""
    body = struct.pack("<QI", batch_id, len(pairs))
    for record, rules in pairs:
        if not isinstance(record, (str, bytes)):
            record = json.dumps(record)
        data = record.encode("utf-8") if isinstance(record, str) else record
        body += struct.pack("<I", len(data)) + data
        body += struct.pack(f"<H{len(rules)}H", len(rules), *rules)
    return body


class Worker:
    """A worker process. With `bootstrap` it gets its modules over the pipe, else it runs engine.py."""

    def __init__(self, bootstrap: bool = True, state: dict[tuple[str, str], Any] | None = None,
                 cwd: str | None = None) -> None:
        self.progress = tempfile.TemporaryFile()
        self.progress.write(bytes(8))
        self.progress.flush()
        self.state = state or {}
        self.requests: list[dict[str, Any]] = []
        self.part_sizes: list[int] = []  # bytes of the frames of the last result
        program = ["-c", (PACKAGE / "bootstrap.py").read_text("utf-8")] if bootstrap else [str(ENGINE)]
        shared = self.progress.fileno()
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-s", "-B", *program], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, env=ENVIRONMENT, cwd=cwd, close_fds=False,
            preexec_fn=lambda: (os.dup2(shared, 3), os.set_inheritable(3, True)))
        if bootstrap:
            self.send("W", json.dumps(worker_sources()).encode("utf-8"))

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> tuple[int, bytes]:
        """Ends the input; the exit status and what came out on standard error."""
        if not self.process.stdin.closed:
            try:
                self.process.stdin.close()
            except BrokenPipeError:
                pass
        try:
            status = self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        stderr = self.process.stderr.read() if not self.process.stderr.closed else b""
        self.process.stdout.close()
        self.process.stderr.close()
        self.progress.close()
        return status, stderr

    def running_pair(self) -> int:
        return struct.unpack("<Q", os.pread(self.progress.fileno(), 8, 0))[0]

    def send(self, kind: str, body: bytes) -> None:
        self.process.stdin.write(struct.pack("<I", len(body) + 1) + kind.encode() + body)
        self.process.stdin.flush()

    def receive(self) -> tuple[str, bytes]:
        """The next frame that is not a state request."""
        while True:
            prefix = self.process.stdout.read(4)
            if len(prefix) < 4:
                raise EOFError("the worker closed its output")
            frame = self.process.stdout.read(struct.unpack("<I", prefix)[0])
            kind, body = frame[:1].decode(), frame[1:]
            if kind != "s":
                return kind, body
            request = json.loads(body)
            self.requests.append(request)
            value = self.state.get((request["kind"], request["key"]), {"value": None, "expires_at": None})
            self.send("S", json.dumps(value).encode())

    def load(self, files: dict[str, str | bytes], rules: list[dict[str, Any]], **fields: Any) -> dict[str, Any]:
        data = as_bytes(files)
        text = json.dumps(header(data, rules, **fields)).encode("utf-8")
        self.send("L", struct.pack("<I", len(text)) + text + b"".join(data.values()))
        kind, body = self.receive()
        assert kind == "l", kind
        return json.loads(body)

    def batch(self, *pairs: tuple[Any, list[int]], batch_id: int = 7) -> dict[str, Any]:
        self.send("B", batch_body(batch_id, list(pairs)))
        parts, self.part_sizes = [], []
        while True:
            kind, body = self.receive()
            assert kind in "pb", kind
            assert struct.unpack("<Q", body[:8])[0] == batch_id
            parts.append(json.loads(body[8:].decode("utf-8")))
            self.part_sizes.append(len(body))
            if kind == "b":
                lists = {name: [item for part in parts for item in part.get(name, [])] for name in ("matches", "errors")}
                return {**parts[-1], **lists}

    def test(self, rule_index: int, log: Any, log_type: str = "AWS.CloudTrail", mocks: Any = ()) -> dict[str, Any]:
        text = json.dumps({"rule": rule_index, "log_type": log_type, "log": log, "mocks": list(mocks)})
        self.send("T", text.encode("utf-8"))
        kind, body = self.receive()
        assert kind == "t", kind
        return json.loads(body)

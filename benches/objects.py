"""What many small objects of S3 cost: `iota run s3://BUCKET` and `iota watch --s3` over a growing number of them, against one
large file with the same records.

Usage: objects.py [--objects 10000,50000,100000] [--rules rules/aws_cloudtrail] [--binary target/release/iota]

Against a server of its own on loopback, which lists and serves objects of two real test records each, made up as they are
asked for. For each number of objects, of iota and all its workers: peak resident memory, CPU time per object (the server's is
not in it), wall time, and how often the server was asked. Asserts that every record was read once; nothing else.
"""

import argparse
import gzip
import hashlib
import json
import multiprocessing
import os
import socket
import subprocess
import tempfile
import threading
import time
import urllib.parse
import uuid
from collections.abc import Callable
from pathlib import Path

from memory import resident

ROOT = Path(__file__).resolve().parent.parent
ACCOUNT = "111122223333"
PER_OBJECT = 2
BRANCH = f"AWSLogs/{ACCOUNT}/CloudTrail/us-east-1/"
# `watch` lists what was delivered yesterday and today.
DAY = time.strftime("%Y/%m/%d", time.gmtime())
PAGE = 1000


def templates() -> list[tuple[str, str]]:
    """What stands before and behind the event id of each test record."""
    found = []
    for line in (ROOT / "testdata/real-cloudtrail.jsonl").read_text(encoding="utf-8").splitlines():
        before, event_id, after = line.partition(json.dumps(json.loads(line)["eventID"]))
        assert event_id, "every test record has an event id"
        found.append((before, after))
    return found


TEMPLATES = templates()


def records(number: int) -> list[str]:
    """Those of an object."""
    made = []
    for of_all in range(number * PER_OBJECT, (number + 1) * PER_OBJECT):
        before, after = TEMPLATES[of_all % len(TEMPLATES)]
        made.append(f'{before}"{uuid.UUID(int=of_all)}"{after}')
    return made


def key(number: int) -> str:
    minute = number % 1440
    stamp = f"{DAY.replace('/', '')}T{minute // 60:02}{minute % 60:02}Z"
    return f"{BRANCH}{DAY}/{ACCOUNT}_CloudTrail_us-east-1_{stamp}_{number:016}.json.gz"


def body(number: int) -> bytes:
    return gzip.compress(('{"Records":[' + ",".join(records(number)) + "]}").encode(), 1, mtime=0)


def etag(number: int) -> str:
    """Of the name: the object itself is not made for a list."""
    return hashlib.md5(str(number).encode()).hexdigest()


class Server:
    """ListObjectsV2 and GetObject of one bucket, over connections that stay open."""

    def __init__(self, objects: int) -> None:
        self.keys = sorted((key(number), number) for number in range(objects))
        self.numbers = dict(self.keys)
        self.asked = multiprocessing.Value("q", 0)

    def listed(self, query: dict[str, str]) -> bytes:
        prefix, delimiter = query.get("prefix", ""), query.get("delimiter")
        head = '<?xml version="1.0"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>trail</Name>'
        if delimiter:
            # Every key is in the one branch that there is.
            folders = []
            if BRANCH.startswith(prefix) and prefix != BRANCH:
                folders = [prefix + BRANCH[len(prefix) :].split("/")[0] + "/"]
            inner = "".join(f"<CommonPrefixes><Prefix>{folder}</Prefix></CommonPrefixes>" for folder in folders)
            return f"{head}<IsTruncated>false</IsTruncated>{inner}</ListBucketResult>".encode()
        start = int(query.get("continuation-token", 0))
        page = [(name, number) for name, number in self.keys[start : start + PAGE] if name.startswith(prefix)]
        more = start + PAGE < len(self.keys)
        inner = "".join(
            f"<Contents><Key>{name}</Key><Size>900</Size><ETag>&quot;{etag(number)}&quot;</ETag></Contents>" for name, number in page
        )
        token = f"<NextContinuationToken>{start + PAGE}</NextContinuationToken>" if more else ""
        return f"{head}<IsTruncated>{str(more).lower()}</IsTruncated>{token}{inner}</ListBucketResult>".encode()

    def answer(self, target: str) -> bytes:
        path, _, query = target.partition("?")
        with self.asked.get_lock():
            self.asked.value += 1
        parsed = dict(urllib.parse.parse_qsl(query))
        if "list-type" in parsed:
            content, kind, tag = self.listed(parsed), "application/xml", ""
        else:
            number = self.numbers[urllib.parse.unquote(path.removeprefix("/trail/"))]
            content, kind, tag = body(number), "application/gzip", f'ETag: "{etag(number)}"\r\n'
        return f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\n{tag}Content-Length: {len(content)}\r\n\r\n".encode() + content

    def serve(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as requests:
            while first := requests.readline():
                while requests.readline() not in (b"\r\n", b""):
                    pass
                connection.sendall(self.answer(first.split()[1].decode()))

    def run(self, listening: socket.socket) -> None:
        while True:
            connection, _ = listening.accept()
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()


def measure(command: list[str], environment: dict[str, str], is_done: Callable[[], bool]) -> tuple[float, float, float]:
    """Peak resident bytes, CPU seconds and wall seconds of a process with all that it starts, until it is done: it ends then, or
    is asked to."""
    started = time.monotonic()
    run = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=environment)
    peak = ended = seconds = 0
    while not ended:
        peak = max(peak, resident(run.pid))
        if not seconds and is_done():
            seconds = time.monotonic() - started
            run.terminate()
        time.sleep(0.05)
        ended, status, usage = os.wait4(run.pid, os.WNOHANG)
    run.returncode = os.waitstatus_to_exitcode(status)
    assert run.returncode == 0, f"{command}: exit code {run.returncode}"
    return peak, usage.ru_utime + usage.ru_stime, seconds or time.monotonic() - started


def read_by_watch(stats: Path) -> int:
    """Objects, by the accounting that `watch` writes every 10 s."""
    try:
        return json.loads(stats.read_text())["sources"]["objects"]["read"]
    except (FileNotFoundError, ValueError, KeyError):
        return 0


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--objects", default="10000,50000,100000")
    parser.add_argument("--rules", type=Path, default=ROOT / "rules/aws_cloudtrail")
    parser.add_argument("--binary", type=Path, default=ROOT / "target/release/iota")
    asked = parser.parse_args()
    print("| what | objects | requests | resident MiB (peak) | CPU µs per object | CPU µs per record | wall s |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    for count in [int(number) for number in asked.objects.split(",")]:
        with tempfile.TemporaryDirectory() as directory, socket.create_server(("127.0.0.1", 0)) as listening:
            server = Server(count)
            serving = multiprocessing.Process(target=server.run, args=(listening,), daemon=True)
            serving.start()
            environment = os.environ | {
                "AWS_ACCESS_KEY_ID": "test",
                "AWS_SECRET_ACCESS_KEY": "test",
                "AWS_REGION": "us-east-1",
                "AWS_ENDPOINT_URL": f"http://127.0.0.1:{listening.getsockname()[1]}",
                "AWS_EC2_METADATA_DISABLED": "true",
            }
            stats = Path(directory) / "stats.json"
            large = Path(directory) / "large.jsonl"
            with large.open("w", encoding="utf-8") as lines:
                lines.writelines(f"{record}\n" for number in range(count) for record in records(number))
            run = [str(asked.binary), "run", "--rules", str(asked.rules), "--quiet", "--workers", "2"]
            watch = [str(asked.binary), "watch", *run[2:], "--state", f"{directory}/watch", "--poll-interval", "5m"]
            for name, command, is_done in [
                ("run, objects", [*run, "s3://trail"], None),
                ("run --state, objects", [*run, "s3://trail", "--state", f"{directory}/run"], None),
                ("watch, objects", [*watch, "--s3", "s3://trail"], lambda: read_by_watch(stats) == count),
                ("run, one file", [*run, str(large)], None),
            ]:
                stats.unlink(missing_ok=True)
                before = server.asked.value
                peak, cpu, wall = measure([*command, "--stats", str(stats)], environment, is_done or (lambda: False))
                read = json.loads(stats.read_text())["records"]
                assert read["read"] == count * PER_OBJECT and read["duplicates"] == 0, read
                requests = server.asked.value - before
                cost = f"{cpu / count * 1e6:.0f} | {cpu / count / PER_OBJECT * 1e6:.0f}"
                print(f"| {name} | {count:,} | {requests:,} | {peak / 2**20:.0f} | {cost} | {wall:.0f} |", flush=True)
            serving.terminate()
            serving.join()


if __name__ == "__main__":
    main()

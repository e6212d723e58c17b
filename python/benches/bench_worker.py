"""Prints what the worker costs: `python3 -P -s -B python/benches/bench_worker.py`. CPU time, best of several runs.
Must not know expectations: it measures and prints, nothing fails."""
from __future__ import annotations

import json
import sys
import time
import timeit
from pathlib import Path
from typing import Any, Callable

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from iota_worker import logs  # noqa: E402
from iota_worker.batch import Batches, Events  # noqa: E402
from iota_worker.events import decode_panther, decode_plain, teach_json  # noqa: E402
from iota_worker.load import Pack  # noqa: E402
from iota_worker.snapshot import Snapshot  # noqa: E402
from iota_worker.state import State  # noqa: E402
from tests.harness import Worker, as_bytes, batch_body, header, panther, rule  # noqa: E402

RECORD = {
    "eventVersion": "1.08",
    "userIdentity": {
        "type": "AssumedRole", "principalId": "AROAXXXXXXXXXXXXXXXXX:session",
        "arn": "arn:aws:sts::123456789012:assumed-role/role/session", "accountId": "123456789012",
        "accessKeyId": "ASIAXXXXXXXXXXXXXXXX",
        "sessionContext": {
            "sessionIssuer": {"type": "Role", "principalId": "AROAXXXXXXXX", "accountId": "123456789012",
                              "arn": "arn:aws:iam::123456789012:role/role", "userName": "role"},
            "webIdFederationData": {},
            "attributes": {"creationDate": "2024-01-01T00:00:00Z", "mfaAuthenticated": "false"}}},
    "eventTime": "2024-01-01T00:00:00Z", "eventSource": "s3.amazonaws.com", "eventName": "GetObject",
    "awsRegion": "us-east-1", "sourceIPAddress": "192.0.2.1", "userAgent": "aws-sdk-java/1.12.0 Linux/5.10 OpenJDK",
    "requestParameters": {"bucketName": "my-bucket", "key": "path/to/some/object.parquet",
                          "Host": "my-bucket.s3.amazonaws.com"},
    "responseElements": None,
    "additionalEventData": {"SignatureVersion": "SigV4", "CipherSuite": "ECDHE-RSA-AES128-GCM-SHA256",
                            "bytesTransferredIn": 0, "AuthenticationMethod": "AuthHeader",
                            "x-amz-id-2": "abcdefghijklmnopqrstuvwxyz0123456789", "bytesTransferredOut": 12345},
    "requestID": "ABCDEF0123456789", "eventID": "01234567-89ab-cdef-0123-456789abcdef", "readOnly": True,
    "resources": [{"type": "AWS::S3::Object", "ARN": "arn:aws:s3:::my-bucket/path"},
                  {"accountId": "123456789012", "type": "AWS::S3::Bucket", "ARN": "arn:aws:s3:::my-bucket"}],
    "eventType": "AwsApiCall", "managementEvent": False, "recipientAccountId": "123456789012",
    "eventCategory": "Data",
}
TEXT = json.dumps(RECORD)
RULES = 100
FAILS_FIRST = "def rule(event):\n    return event.get('eventName') == 'NeverCalled' and event['x']\n"


def microseconds(call: Callable[[], Any], number: int) -> float:
    return min(timeit.repeat(call, number=number, repeat=5, timer=time.process_time)) / number * 1e6


def in_process(entry: Callable[..., dict[str, Any]]) -> tuple[Batches, Pack]:
    files = as_bytes({f"rules/r{index}.py": FAILS_FIRST for index in range(RULES)})
    rules = header(files, [entry(path) for path in files])
    progress = memoryview(bytearray(8)).cast("Q")
    capture = logs.Capture(here=lambda: progress[0])
    state = State(lambda kind, key: {}, pair=lambda: progress[0])
    pack = Pack(rules, Snapshot(files, {}))
    pack.load(rules, capture, progress)
    install, logs.install = logs.install, lambda capture: None  # this file still wants to print
    return Batches(pack, state, capture, progress, lambda: "2025-01-01 00:00:00.000000000",
                   hand_on=lambda part: None), pack


def main() -> None:
    teach_json()
    print(f"python {sys.version.split()[0]}, a record of {len(TEXT)} bytes")
    print(f"decode, plain             {microseconds(lambda: decode_plain(TEXT), 5000):8.2f} us")
    print(f"decode, panther           {microseconds(lambda: decode_panther(TEXT), 5000):8.2f} us")
    for name, entry in (("plain", rule), ("panther", panther)):
        batches, pack = in_process(entry)
        events = Events(TEXT, pack, "2025-01-01 00:00:00.000000000")
        flavor = pack.rules[0].flavor
        event = events.of(flavor)
        made = microseconds(lambda: events.of(flavor), 5000)
        print(f"decode and event, {name:8}{made:8.2f} us")
        loop = "for _ in range(1000): get('eventName')"
        cost = min(timeit.repeat(loop.replace("get(", "event.get("), globals={"event": event}, number=200,
                                 repeat=5)) / 200
        print(f"event.get, {name:8}       {cost * 1e6:8.1f} ns")
        body = batch_body(1, [(TEXT, list(range(RULES)))] * 16)
        print(f"record x {RULES} rules, {name:8}{microseconds(lambda: batches.run(body), 50) / 16:8.2f} us")
        few = batch_body(1, [(TEXT, [1, 2, 3])] * 16)
        print(f"record x 3 rules, {name:8}{microseconds(lambda: batches.run(few), 200) / 16:8.2f} us")
    event = dict(RECORD)
    loop = "for _ in range(1000): event.get('eventName')"
    cost = min(timeit.repeat(loop, globals={"event": event}, number=200, repeat=5)) / 200
    print(f"dict.get                  {cost * 1e6:8.1f} ns")
    for bootstrap in (True, False):
        started = time.perf_counter()
        with Worker(bootstrap) as worker:
            worker.load({"rules/a.py": FAILS_FIRST}, [rule("rules/a.py")])
            ready = time.perf_counter()
            worker.batch((RECORD, [0]))
            rounds = 500
            begin = time.perf_counter()
            for _ in range(rounds):
                worker.batch((RECORD, [0]))
            spent = (time.perf_counter() - begin) / rounds
        print(f"start {'over the pipe' if bootstrap else 'from a file  '}      {(ready - started) * 1e3:8.1f} ms, "
              f"round trip {spent * 1e6:.0f} us")
    files = {f"rules/r{index}.py": FAILS_FIRST * 5 for index in range(1000)}
    with Worker() as worker:
        started = time.perf_counter()
        worker.load(files, [rule(path) for path in files])
        print(f"load 1,000 rules          {(time.perf_counter() - started) * 1e3:8.1f} ms")


main()

"""What `iota watch --queue-url` adds: from the sending of a message to its alert in the outbox, in milliseconds.

Usage: .venv/bin/python benches/latency.py [--rate 50] [--seconds 20] [--binary target/release/iota]

Against moto on loopback, whose own time, and that of two calls to it, is in the figures: they are an upper bound. Each message
names an object with one record that makes an alert. Prints also how much memory the process takes. Asserts nothing.
"""

import argparse
import gzip
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import boto3
from botocore.config import Config

ROOT = Path(__file__).resolve().parent.parent
RULE = "def rule(event):\n    return event['eventName'] == 'X'\n\ndef dedup(event):\n    return event['eventID']\n"
ACCOUNT = "111122223333"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rate", type=int, default=50)
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--binary", type=Path, default=ROOT / "target/release/iota")
    asked = parser.parse_args()
    server = subprocess.Popen(
        [sys.executable, ROOT / "tools/moto_server.py"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    endpoint = f"http://127.0.0.1:{int(server.stdout.readline())}"
    session = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": "us-east-1", "endpoint_url": endpoint}
    s3 = boto3.client("s3", config=Config(s3={"addressing_style": "path"}), **session)
    sqs = boto3.client("sqs", **session)
    s3.create_bucket(Bucket="trail")
    url = sqs.create_queue(QueueName="trail")["QueueUrl"]
    count = asked.rate * asked.seconds
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    for number in range(count):
        record = {"eventVersion": "1.09", "eventID": str(number), "eventName": "X", "eventTime": now}
        s3.put_object(Bucket="trail", Key=f"o/{number}.json.gz", Body=gzip.compress(json.dumps({"Records": [record]}).encode()))
    with tempfile.TemporaryDirectory() as directory:
        work = Path(directory)
        (work / "rules").mkdir()
        (work / "rules/x.py").write_text(RULE)
        environment = os.environ | {
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        command = [asked.binary.resolve(), "watch", "--queue-url", url, "--bucket", "trail", "--rules", "rules", "--state", "state", "--quiet"]
        process = subprocess.Popen(command, cwd=work, env=environment, stdout=subprocess.DEVNULL)
        time.sleep(3)
        sent = []
        start = time.time()
        for number in range(count):
            time.sleep(max(0, start + number / asked.rate - time.time()))
            named = {"bucket": {"name": "trail"}, "object": {"key": f"o/{number}.json.gz", "size": 150}}
            body = {"Records": [{"eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "s3": named}]}
            sent.append(time.time() * 1000)
            sqs.send_message(QueueUrl=url, MessageBody=json.dumps(body))
        took = time.time() - start
        time.sleep(3)
        memory = int(next(line for line in Path(f"/proc/{process.pid}/status").read_text().splitlines() if "VmHWM" in line).split()[1])
        process.terminate()
        process.wait()
        rows = sqlite3.connect(work / "state/iota.db").execute("SELECT dedup, created_ms FROM alerts WHERE pack <> 'iota'").fetchall()
    server.stdin.close()
    # The first messages wait for the first Python worker.
    times = sorted(created - sent[int(dedup)] for dedup, created in rows if int(dedup) >= asked.rate)
    at = lambda share: times[min(len(times) - 1, int(len(times) * share))]  # noqa: E731
    print(f"{len(rows)} of {count} alerts, {count / took:.0f}/s: p50 {at(0.5):.0f} ms, p99 {at(0.99):.0f} ms, most {times[-1]:.0f} ms")
    print(f"peak memory of the engine: {memory / 1024:.0f} MiB")


main()

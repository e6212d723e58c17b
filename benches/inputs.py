"""Inputs of the benchmarks: the real test records over and over, with event ids of their own and mixed event names.

The same bytes for the same arguments. Writes objects of CloudTrail's form, gzip, and the same records as JSON lines.
"""

import gzip
import json
import random
import uuid
from collections.abc import Iterator
from pathlib import Path

import packs

ROOT = Path(__file__).resolve().parent.parent
RECORDS = ROOT / "testdata/real-cloudtrail.jsonl"
# Event names and sources that management trails are full of, by how often they come; the rest keep their own.
COMMON = [
    ("AssumeRole", "sts.amazonaws.com", 30),
    ("Decrypt", "kms.amazonaws.com", 15),
    ("DescribeInstances", "ec2.amazonaws.com", 12),
    ("GenerateDataKey", "kms.amazonaws.com", 8),
    ("GetBucketAcl", "s3.amazonaws.com", 6),
    ("DescribeLogGroups", "logs.amazonaws.com", 5),
    ("ListBuckets", "s3.amazonaws.com", 4),
    ("GetCallerIdentity", "sts.amazonaws.com", 4),
]
RARE_PERCENT = 16
# Records in an object: what CloudTrail delivers is between a few and some thousands.
PER_OBJECT = 1500


def records(count: int, asked_for: float = 0, rules: int = 1) -> Iterator[str]:
    """`count` records, one JSON text each. RARE_PERCENT of them keep the event name they had; the part `asked_for` gets
    one that a rule of a pack of `rules` rules asks for (packs.py)."""
    choose = random.Random(1)
    templates = []
    for line in RECORDS.read_text(encoding="utf-8").splitlines():
        record = json.loads(line)
        parts = {}
        for name in ["eventID", "eventName", "eventSource"]:
            member = f'"{name}":{json.dumps(record[name])}'
            compact = member if member in line else f'"{name}": {json.dumps(record[name])}'
            assert compact in line, "every test record has these members"
            parts[name] = compact
        templates.append((line, parts))
    names = [(name, source) for name, source, _ in COMMON] + [None]
    weights = [weight for _, _, weight in COMMON] + [RARE_PERCENT]
    for number in range(count):
        line, parts = templates[number % len(templates)]
        line = line.replace(parts["eventID"], f'"eventID":"{uuid.UUID(int=number)}"', 1)
        chosen = choose.choices(names, weights)[0]
        if choose.random() < asked_for:
            chosen = (f"{packs.PREFIX}{choose.randrange(rules)}", "benchmark.amazonaws.com")
        if chosen:
            line = line.replace(parts["eventName"], f'"eventName":"{chosen[0]}"', 1)
            line = line.replace(parts["eventSource"], f'"eventSource":"{chosen[1]}"', 1)
        yield line


def write(directory: Path, objects: int, asked_for: float = 0, rules: int = 1) -> int:
    """Writes `objects` gzip files to DIRECTORY/objects and their records to DIRECTORY/lines.jsonl; how many records."""
    (directory / "objects").mkdir(parents=True, exist_ok=True)
    source = records(objects * PER_OBJECT, asked_for, rules)
    with (directory / "lines.jsonl").open("w", encoding="utf-8") as lines:
        for number in range(objects):
            of_object = [next(source) for _ in range(PER_OBJECT)]
            lines.writelines(f"{record}\n" for record in of_object)
            data = '{"Records":[' + ",".join(of_object) + "]}"
            name = f"111122223333_CloudTrail_us-east-1_20240715T1005Z_{number:06}.json.gz"
            (directory / "objects" / name).write_bytes(gzip.compress(data.encode(), 6, mtime=0))
    return objects * PER_OBJECT

"""Writes what is beside it: bucket/ (log files as a trail delivers them) and events/ (what `iota ingest` makes of them).

From records of ../real-cloudtrail.jsonl, byte for byte. It knows nothing of iota: what belongs into events/ is worked out here from
what is documented in docs/INGEST.md. Names of files there are made up; iota's are random.
"""

import gzip
import json
import shutil
from datetime import datetime, timedelta
from itertools import groupby
from pathlib import Path

HERE = Path(__file__).resolve().parent
ACCOUNTS = {"012345678901", "101010101111", "123456789123"}
# Records in a log file at most. The last is also the first of the next: CloudTrail may deliver a record twice.
PER_FILE = 9


def wanted(record: dict) -> bool:
    busy = record.get("awsRegion") == "us-west-2" and record["eventTime"].startswith("2025-10-12")
    return record.get("recipientAccountId") in ACCOUNTS or busy


def chosen() -> list[tuple[str, str, datetime, str]]:
    """Account, region, time and line of each record, in that order."""
    found = []
    for line in (HERE.parent / "real-cloudtrail.jsonl").read_text(encoding="utf-8").splitlines():
        record = json.loads(line)
        if wanted(record):
            time = datetime.strptime(record["eventTime"], "%Y-%m-%dT%H:%M:%SZ")
            found.append((record["recipientAccountId"], record["awsRegion"], time, line))
    return sorted(found)


def write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def main() -> None:
    for name in ["bucket", "events"]:
        shutil.rmtree(HERE / name, ignore_errors=True)
    hours: dict[str, list[str]] = {}
    for (account, region, _), group in groupby(chosen(), key=lambda found: (found[0], found[1], found[2].date())):
        records = list(group)
        for number, start in enumerate(range(0, max(1, len(records) - 1), PER_FILE - 1)):
            of_file = records[start : start + PER_FILE]
            delivered = of_file[-1][2] + timedelta(minutes=5)
            stamp = delivered.strftime("%Y%m%dT%H%MZ")
            key = f"AWSLogs/{account}/CloudTrail/{region}/{delivered:%Y/%m/%d}/{account}_CloudTrail_{region}_{stamp}_{number:016}.json.gz"
            content = '{"Records":[' + ",".join(line for *_, line in of_file) + "]}"
            write(HERE / "bucket" / key, gzip.compress(content.encode(), mtime=0))
        for _, _, time, line in records:
            hours.setdefault(f"{account}/{region}/{time:%Y/%m/%d/%H}", []).append(line)
    for number, (hour, lines) in enumerate(sorted(hours.items())):
        write(HERE / "events" / hour / f"iota_{number:016x}.jsonl", "".join(f"{line}\n" for line in lines).encode())


main()

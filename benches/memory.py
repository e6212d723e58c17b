"""Peak memory of `iota run` over one large file: all processes together, resident, in MiB; and CPU time per record.

Usage: memory.py [GIGABYTES] [--groups] [--emit first|final]

2 GB by default; needs that much space in the temporary directory, with `--groups` three times as much. `--groups`: instead of
the shipped rules, one that matches every record and puts each into a group of its own. The input repeats the real test
records with event ids of their own, so that none is a duplicate. Prints; asserts nothing.
"""

import argparse
import json
import os
import subprocess
import tempfile
import time
import uuid
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
IOTA = ROOT / "target/release/iota"
EACH = "def rule(event):\n    return True\n\ndef dedup(event):\n    return event['eventID']\n"
RECORDS = ROOT / "testdata/real-cloudtrail.jsonl"


def write_input(path: Path, size: int) -> int:
    """Writes records until there are `size` bytes; returns how many."""
    templates = []
    for line in RECORDS.read_text(encoding="utf-8").splitlines():
        before, event_id, after = line.partition(json.dumps(json.loads(line)["eventID"]))
        assert event_id, "every test record has an event id"
        templates.append((before, after))
    count = written = 0
    with path.open("w", encoding="utf-8") as file:
        while written < size:
            before, after = templates[count % len(templates)]
            written += file.write(f'{before}"{uuid.UUID(int=count)}"{after}\n')
            count += 1
    return count


def resident(pid: int) -> int:
    """Resident bytes of a process and everything it started."""
    total = 0
    try:
        total += int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        for thread in os.listdir(f"/proc/{pid}/task"):
            for child in Path(f"/proc/{pid}/task/{thread}/children").read_text().split():
                total += resident(int(child))
    except FileNotFoundError:
        pass
    return total


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("gigabytes", type=float, nargs="?", default=2)
    parser.add_argument("--groups", action="store_true")
    parser.add_argument("--emit", choices=["first", "final"], default="final")
    args = parser.parse_args()
    size = int(args.gigabytes * 1e9)
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "large.jsonl"
        records = write_input(path, size)
        rules = ROOT / "rules/aws_cloudtrail"
        if args.groups:
            rules = Path(directory) / "rules"
            rules.mkdir()
            (rules / "each.py").write_text(EACH, encoding="utf-8")
        command = [str(IOTA), "run", str(path), "--rules", str(rules), "--emit", args.emit, "--workers", "2", "--quiet"]
        started = time.monotonic()
        run = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        peak = ended = 0
        while not ended:
            peak = max(peak, resident(run.pid))
            time.sleep(0.05)
            ended, status, usage = os.wait4(run.pid, os.WNOHANG)
        seconds = time.monotonic() - started
    code = run.returncode = os.waitstatus_to_exitcode(status)
    print(f"{path.name}: {size / 1e9:.1f} GB, {records} records, exit code {code}, {seconds:.0f} s")
    print(f"CPU time of all processes per record: {(usage.ru_utime + usage.ru_stime) / records * 1e6:.2f} µs")
    print(f"peak resident memory of all processes: {peak / 2**20:.0f} MiB")


if __name__ == "__main__":
    main()

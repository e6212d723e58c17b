"""What the sandbox costs: starts and calls with `--sandbox auto` and `off`, taken in turns.

    python3 benches/sandbox.py [IOTA]

A start is a run over one record, with the load cache warm: wall time of the whole, and CPU of iota and its worker. A call is
taken from the time that the worker measures for a rule that reads two fields, over 30,000 records."""
import json
import os
import statistics
import sys
import tempfile
import time

IOTA = sys.argv[1] if len(sys.argv) > 1 else "target/release/iota"
STARTS, RUNS, RECORDS = 25, 7, 30_000
RULE = """def rule(event):
    return event.deep_get("userIdentity", "type") == "x" or len(str(event.get("eventName"))) > 1000
"""


def record(number):
    identity = {"type": "y"}
    return {"eventName": "E", "eventID": str(number), "eventTime": "2020-01-01T00:00:00Z", "userIdentity": identity}


def run(directory, mode, records):
    """Wall seconds, CPU seconds, and seconds in the rule."""
    stats = f"{directory}/stats.json"
    command = [IOTA, "run", f"{directory}/{records}.jsonl", "--rules", f"{directory}/rules", "--workers", "1", "--no-fast-path",
               "--sandbox", mode, "--stats", stats, "--quiet"]
    started = time.perf_counter()
    _, status, used = os.wait4(os.posix_spawn(IOTA, command, {**os.environ, "XDG_CACHE_HOME": f"{directory}/cache"}), 0)
    wall = time.perf_counter() - started
    if status:
        raise SystemExit(f"{command}: status {status}")
    with open(stats) as file:
        return wall, used.ru_utime + used.ru_stime, json.load(file)["rules"]["rules/r"]["seconds"]


def main():
    with tempfile.TemporaryDirectory() as directory:
        os.mkdir(f"{directory}/rules")
        with open(f"{directory}/rules/r.py", "w") as file:
            file.write(RULE)
        for name, count in (("one", 1), ("many", RECORDS)):
            with open(f"{directory}/{name}.jsonl", "w") as file:
                file.writelines(json.dumps(record(number)) + "\n" for number in range(count))
        modes = ("auto", "off")
        for mode in modes:
            run(directory, mode, "one")
        starts = [[run(directory, mode, "one") for mode in modes] for _ in range(STARTS)]
        calls = [[run(directory, mode, "many") for mode in modes] for _ in range(RUNS)]
        for place, mode in enumerate(modes):
            wall, cpu = (statistics.median(start[place][part] for start in starts) * 1e3 for part in (0, 1))
            each = statistics.median(call[place][2] for call in calls) / RECORDS * 1e9
            print(f"{mode:4}: start {wall:.1f} ms, of CPU {cpu:.1f} ms; call {each:.0f} ns")


main()

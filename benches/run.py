"""The table of docs/PERFORMANCE.md: CPU time of `iota run` against the ceiling, on one and two cores, over sizes.

Usage: run.py [OBJECTS]    (200 by default: 300,000 records, about 490 MB of JSON; called by run.sh, which builds first)

CPU seconds are user and system time of iota and all its workers. Every figure is the best of ROUNDS, and the rounds of
what is compared alternate, so that ratios hold on a machine that does other things, too. Memory is for memory.py.
Prints; asserts nothing.
"""

import os
import platform
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import inputs

ROOT = Path(__file__).resolve().parent.parent
IOTA = str(ROOT / "target/release/iota")
CEILING = str(ROOT / "target/release/examples/ceiling")
ROUNDS = 3
RULE = """def rule(event):
    return event.get("eventName") == "ConsoleLogin"
"""


@dataclass(frozen=True)
class Cost:
    """CPU seconds of a process and its children, and wall-clock seconds."""

    cpu: float
    wall: float


def measure(command: list[str]) -> Cost:
    started = time.monotonic()
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    # With its own children, because it waits for them.
    _, status, usage = os.wait4(child.pid, 0)
    wall = time.monotonic() - started
    if code := os.waitstatus_to_exitcode(status):
        sys.exit(f"{' '.join(command)}: exit code {code}")
    return Cost(usage.ru_utime + usage.ru_stime, wall)


def best(commands: dict[str, list[str]]) -> dict[str, Cost]:
    costs: dict[str, list[Cost]] = {name: [] for name in commands}
    for _ in range(ROUNDS):
        for name, command in commands.items():
            costs[name].append(measure(command))
    return {
        name: Cost(min(cost.cpu for cost in of_command), min(cost.wall for cost in of_command))
        for name, of_command in costs.items()
    }


def table(title: str, records: int, costs: dict[str, Cost], base: str) -> None:
    print(f"\n### {title}\n")
    print(f"| what | records per CPU second | CPU against {base} | wall s |")
    print("| --- | ---: | ---: | ---: |")
    for name, cost in costs.items():
        ratio = cost.cpu / costs[base].cpu
        print(f"| {name} | {records / cost.cpu:,.0f} | {ratio:.2f} | {cost.wall:.2f} |")


def main() -> None:
    objects = int(sys.argv[1] if len(sys.argv) > 1 else 200)
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, {date.today()}")
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        rules, no_rules = root / "rules", root / "no-rules"
        rules.mkdir()
        no_rules.mkdir()
        (rules / "console_login.py").write_text(RULE, encoding="utf-8")
        # A pack of which no rule runs: only reading is left.
        (no_rules / "pack.yaml").write_text("version: 1\nname: none\n", encoding="utf-8")
        (no_rules / "helper.py").write_text("X = 1\n", encoding="utf-8")

        def run(path: Path, of: Path, workers: int) -> list[str]:
            return [IOTA, "run", str(path), "--rules", str(of), "--workers", str(workers), "--quiet"]

        records = inputs.write(root, objects)
        for title, path in [("gzip objects", root / "objects"), ("JSON lines", root / "lines.jsonl")]:
            commands = {
                "ceiling": [CEILING, "fields", str(path)],
                "decoder alone": [CEILING, "decode", str(path)],
                "iota, no rules, one worker": run(path, no_rules, 1),
                "iota, no rules, two workers": run(path, no_rules, 2),
                "iota, one rule, one worker": run(path, rules, 1),
                "iota, one rule, two workers": run(path, rules, 2),
            }
            table(title, records, best(commands), "ceiling")

        costs, counts = {}, []
        for share in [16, 4, 1]:
            part = root / f"part-{share}.jsonl"
            with (root / "lines.jsonl").open("rb") as lines, part.open("wb") as out:
                counts.append(records // share)
                out.writelines(next(lines) for _ in range(counts[-1]))
            size = f"{part.stat().st_size / 1e6:,.0f} MB"
            costs[size] = best({size: run(part, no_rules, 2)})[size]
        print("\n### Growth with the input: one file of JSON lines, no rules, two workers\n")
        print("| size | CPU microseconds per record |\n| --- | ---: |")
        for (size, cost), count in zip(costs.items(), counts, strict=True):
            print(f"| {size} | {cost.cpu / count * 1e6:.2f} |")


if __name__ == "__main__":
    main()

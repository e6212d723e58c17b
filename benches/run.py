"""The tables of docs/PERFORMANCE.md: what `iota run` costs, against the least that any engine has to do with the bytes.

Usage: run.py [--objects N] [--write]    (called by run.sh, which builds first)

  --objects  objects of 1,500 records (100 by default: 150,000 records, about 240 MB of JSON)
  --write    put the tables into docs/PERFORMANCE.md as well

CPU seconds are user and system time of iota and all its workers. Every figure is the best of ROUNDS, and the rounds of
what is compared alternate, so that ratios hold on a machine that does other things, too. Memory is for memory.py.
Prints; asserts nothing.
"""

import argparse
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import inputs
import packs

ROOT = Path(__file__).resolve().parent.parent
IOTA = str(ROOT / "target/release/iota")
CEILING = str(ROOT / "target/release/examples/ceiling")
REPORT = ROOT / "docs/PERFORMANCE.md"
MARKS = ("<!-- tables: begin -->\n", "<!-- tables: end -->\n")
ROUNDS = 3
# Rules of the pack of targets 1 and 2.
RULES = 120


@dataclass(frozen=True)
class Cost:
    """CPU seconds of a process and its children, and wall-clock seconds."""

    cpu: float
    wall: float


def measure(command: list[str], cache: Path) -> Cost:
    started = time.monotonic()
    child = start(command, cache)
    # With its own children, because it waits for them.
    _, status, usage = os.wait4(child.pid, 0)
    wall = time.monotonic() - started
    if code := os.waitstatus_to_exitcode(status):
        sys.exit(f"{' '.join(command)}: exit code {code}")
    return Cost(usage.ru_utime + usage.ru_stime, wall)


def start(command: list[str], cache: Path) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "XDG_CACHE_HOME": str(cache)}
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)


def busy(command: list[str], cache: Path) -> float:
    """The share of its life, start included, that the only worker process of a run was at work; the time that it waited
    for a core (`run_delay` of /proc/PID/schedstat) is taken out of both. Looks every 20 ms."""
    child = start(command, cache)
    workers: dict[str, tuple[float, float, float, float]] = {}
    while child.poll() is None:
        try:
            for thread in os.listdir(f"/proc/{child.pid}/task"):
                for worker in Path(f"/proc/{child.pid}/task/{thread}/children").read_text().split():
                    cpu, waited, _ = map(int, Path(f"/proc/{worker}/schedstat").read_text().split())
                    now = time.monotonic()
                    workers[worker] = (workers.get(worker, (now,))[0], now, cpu / 1e9, waited / 1e9)
        except FileNotFoundError:
            pass
        time.sleep(0.02)
    if child.returncode:
        sys.exit(f"{' '.join(command)}: exit code {child.returncode}")
    first, last, cpu, waited = max(workers.values(), key=lambda worker: worker[1] - worker[0])
    return cpu / (last - first - waited)


class Bench:
    def __init__(self, root: Path, objects: int) -> None:
        self.root, self.objects, self.cache = root, objects, root / "cache"

    def best(self, commands: dict[str, list[str]], rounds: int = ROUNDS) -> dict[str, Cost]:
        """After one round that does not count: it fills the load cache and the page cache."""
        costs: dict[str, list[Cost]] = {name: [] for name in commands}
        for round_ in range(rounds + 1):
            for name, command in commands.items():
                cost = measure(command, self.cache)
                if round_ > 0:
                    costs[name].append(cost)
        return {
            name: Cost(min(cost.cpu for cost in of_command), min(cost.wall for cost in of_command))
            for name, of_command in costs.items()
        }

    def run(self, path: Path, rules: Path, workers: int = 2) -> list[str]:
        return [IOTA, "run", str(path), "--rules", str(rules), "--workers", str(workers), "--quiet"]

    def asked(self) -> Path:
        """One record that a rule asks for."""
        asked = self.root / "asked.jsonl"
        asked.write_text(next(inputs.records(1, 1.0, 1)) + "\n", encoding="utf-8")
        return asked

    def against_the_ceiling(self) -> Iterator[str]:
        """Targets 1 and 2."""
        pack = packs.write(self.root / "rules", RULES)
        none = packs.write(self.root / "none", 1)
        for share in (0.01, 0.1, 0.5):
            data = self.root / f"data-{share}"
            records = inputs.write(data, self.objects, share, RULES)
            for title, path in [("gzip objects", data / "objects"), ("JSON lines", data / "lines.jsonl")]:
                commands = {"ceiling": [CEILING, "fields", str(path)]}
                if share == 0.01:
                    commands["decoder alone"] = [CEILING, "decode", str(path)]
                    commands["iota, 1 rule, two workers"] = self.run(path, none)
                commands[f"iota, {RULES} rules, one worker"] = self.run(path, pack, 1)
                commands[f"iota, {RULES} rules, two workers"] = self.run(path, pack, 2)
                costs = self.best(commands)
                yield f"\n### {title}, {share:.0%} of the records have a candidate\n\n"
                yield "| what | records per CPU second | speed against the ceiling | wall s |\n| --- | ---: | ---: | ---: |\n"
                for name, cost in costs.items():
                    speed = costs["ceiling"].cpu / cost.cpu
                    yield f"| {name} | {records / cost.cpu:,.0f} | {speed:.0%} | {cost.wall:.2f} |\n"
            if share != 0.01:
                shutil.rmtree(data)

    def two_cores(self) -> Iterator[str]:
        """Target 5. On one core iota takes one worker by itself."""
        data, pack = self.root / "data-0.01", str(self.root / "rules")
        cores = sorted(os.sched_getaffinity(0))[:2]
        yield "\n### Two cores against one: 1% of the records have a candidate, default workers\n\n"
        yield "| input | wall s, one core | wall s, two cores | ratio |\n| --- | ---: | ---: | ---: |\n"
        for title, path in [("gzip objects", data / "objects"), ("JSON lines", data / "lines.jsonl")]:
            command = [IOTA, "run", str(path), "--rules", pack, "--quiet"]
            one, two = self.best({
                "one": ["taskset", "-c", f"{cores[0]}", *command],
                "two": ["taskset", "-c", ",".join(map(str, cores)), *command],
            }).values()
            yield f"| {title} | {one.wall:.2f} | {two.wall:.2f} | {one.wall / two.wall:.2f} |\n"

    def growth_with_rules(self) -> Iterator[str]:
        """Target 3."""
        data = self.root / "data-0.01/lines.jsonl"
        records = self.objects * inputs.PER_OBJECT
        counts = (50, 500, 5000)
        of = {count: packs.write(self.root / f"rules-{count}", count) for count in counts}
        one = self.root / "one.jsonl"
        one.write_text(next(inputs.records(1)) + "\n", encoding="utf-8")
        cold = {count: measure(self.run(one, pack), self.cache) for count, pack in of.items()}
        starts = self.best({str(count): self.run(one, pack) for count, pack in of.items()})
        # A worker loads all rules once; that is a cost of the start, not of the records.
        asked = self.asked()
        workers = self.best({str(count): self.run(asked, pack, 1) for count, pack in of.items()})
        costs = self.best({str(count): self.run(data, pack, 1) for count, pack in of.items()})
        base = costs["50"].cpu - workers["50"].cpu
        yield "\n### Growth with the rules: JSON lines, all rules guarded by event names, one worker, without its start\n\n"
        yield "| rules | CPU µs per record | against 50 rules | load, first time (CPU s) | load, later (CPU s) |\n"
        yield "| ---: | ---: | ---: | ---: | ---: |\n"
        for count in counts:
            cost = costs[str(count)].cpu - workers[str(count)].cpu
            yield f"| {count:,} | {cost / records * 1e6:.2f} | {cost / base:.2f} | {cold[count].cpu:.2f} | {starts[str(count)].cpu:.2f} |\n"

    def rules_that_cannot_be_skipped(self) -> Iterator[str]:
        """Target 6."""
        data = self.root / "data-0.01/objects"
        mixed = packs.write(self.root / "mixed", 99, 1)
        commands = {
            "100 guarded rules": self.run(data, packs.write(self.root / "guarded", 100)),
            "99 guarded rules and one that sees every record": self.run(data, mixed),
        }
        costs = self.best(commands, 1)
        base = next(iter(costs.values())).cpu
        yield "\n### A rule that cannot be skipped: gzip objects, two workers\n\n"
        yield "| rules | CPU s | ratio | wall s |\n| --- | ---: | ---: | ---: |\n"
        for name, cost in costs.items():
            yield f"| {name} | {cost.cpu:.2f} | {cost.cpu / base:.2f} | {cost.wall:.2f} |\n"
        share = busy(self.run(data, mixed, 1), self.cache)
        yield f"\nWith one worker, the second run keeps the worker process busy for {share:.0%} of its life.\n"

    def growth_with_input(self) -> Iterator[str]:
        """Target 4."""
        data = self.root / "data-0.01/lines.jsonl"
        pack = self.root / "rules"
        start = self.best({"": self.run(self.asked(), pack, 1)})[""].cpu
        yield "\n### Growth with the input: JSON lines, one worker, without its start\n\n"
        yield "| size | CPU µs per record |\n| ---: | ---: |\n"
        for share in (16, 4, 1):
            part = self.root / f"part-{share}.jsonl"
            count = self.objects * inputs.PER_OBJECT // share
            with data.open("rb") as lines, part.open("wb") as out:
                out.writelines(next(lines) for _ in range(count))
            cost = self.best({"": self.run(part, pack, 1)})[""]
            yield f"| {part.stat().st_size / 1e6:,.0f} MB | {(cost.cpu - start) / count * 1e6:.2f} |\n"
            part.unlink()

    def start(self) -> Iterator[str]:
        """Target 7."""
        pack = packs.write(self.root / "hundred", 100)
        one = self.root / "one.jsonl"
        asked = self.asked()
        costs = self.best({
            "one record, no candidate": self.run(one, pack),
            "one record with a candidate": self.run(asked, pack),
        }, 10)
        yield "\n### Start: one record, 100 rules, load cache warm\n\n| what | wall ms |\n| --- | ---: |\n"
        for name, cost in costs.items():
            yield f"| {name} | {cost.wall * 1e3:.0f} |\n"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--objects", type=int, default=100)
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    lines = []
    with tempfile.TemporaryDirectory() as directory:
        bench = Bench(Path(directory), arguments.objects)
        lines.append(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, {date.today()}.\n")
        print(lines[0], end="")
        sections = [bench.against_the_ceiling, bench.two_cores, bench.growth_with_rules, bench.rules_that_cannot_be_skipped,
                    bench.growth_with_input, bench.start]
        for section in sections:
            for line in section():
                lines.append(line)
                print(line, end="", flush=True)
    if arguments.write:
        before, rest = REPORT.read_text(encoding="utf-8").split(MARKS[0])
        after = rest.split(MARKS[1])[1]
        REPORT.write_text(before + MARKS[0] + "".join(lines) + MARKS[1] + after, encoding="utf-8")


if __name__ == "__main__":
    main()

"""Looks for (rule, record) pairs that iota skips although it must not: runs `iota run --verify-fast-path`, which runs the
skipped pairs in Python too, over mutated records (default) or over generated rules and records (`--generated N`).

Usage: soundness.py [--pairs N] [--generated N] [--seed N] [--binary PATH] [PACK ...]
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
import soundness_rules  # noqa: E402

ROOT = Path(__file__).resolve().parent.parent
PACKS = ["rules/aws_cloudtrail", "testdata/guards/idioms_plain", "testdata/guards/idioms_panther", "testdata/guards/traps_panther",
         "testdata/guards/traps_values", "testdata/panther_pack", "testdata/rules"]
# Each a process of its own: with the first records only.
WIDE = "testdata/guards/traps_wide"
# A file that cannot be analysed turns the analysis of its pack off, so they are left out of a copy.
NOT_ANALYSED = ["trap_form_feed.py", "trap_source_encoding.py", "trap_source_encoding_lies.py"]
RULES_PER_PACK = 100
TIMES = ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z", "2024-02-30T00:00:00Z",
         "2024-01-01T00:00:00+23:59:59.999999", "2024-01-01", "20240101T000000Z", "2024-W01-1", "2024-01-01T24:00:00Z"]
BATCH = 1500


class Totals:
    def __init__(self) -> None:
        self.runs = self.records = self.pairs = self.verified = self.errored = 0
        self.violations: list[str] = []


def run(binary: str, packs: list[str], records: Path, totals: Totals) -> None:
    """One run with verification, added to the totals."""
    stats = records.with_suffix(".stats.json")
    stats.unlink(missing_ok=True)
    command = [binary, "run", str(records), "--now", "2026-01-01T00:00:00Z", "--log", "error", "--verify-fast-path", "--stats", str(stats)]
    command += [part for pack in packs for part in ("--rules", pack)]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, errors="replace", check=False)
    if not stats.exists() or not stats.stat().st_size:
        raise SystemExit(f"{' '.join(command)}: exit code {done.returncode}\n{done.stderr[:3000]}")
    counts = json.loads(stats.read_text())
    pairs = counts["pairs"]
    totals.runs += 1
    totals.records += counts["records"]["evaluated"]
    totals.pairs += pairs["total"]
    totals.verified += pairs["verified"]
    totals.errored += pairs["errored"]
    found = re.findall(r"would have skipped (.*? but it [^;]*);", done.stderr)
    if pairs["violations"] and not found:
        found = [f"{pairs['violations']} in {records}"]
    totals.violations += found


# ---- records

class Members(list):  # type: ignore[type-arg]
    """The members of an object in order; names may repeat."""


def parse(text: str) -> Any:
    return json.loads(text, object_pairs_hook=Members)


def write_text(text: str, rng: random.Random, escape: float) -> str:
    if rng.random() >= escape or not text:
        return json.dumps(text, ensure_ascii=rng.random() < 0.5)
    at = rng.randrange(len(text))
    units = text[at].encode("utf-16-be", "surrogatepass").hex()
    escaped = "".join(f"\\u{units[n:n + 4]}" for n in range(0, len(units), 4))
    return json.dumps(text[:at])[:-1] + escaped + json.dumps(text[at + 1:])[1:]


def write(value: Any, rng: random.Random, escape: float) -> str:
    if isinstance(value, Members):
        return "{" + ",".join(f"{write_text(name, rng, escape)}:{write(inner, rng, escape)}" for name, inner in value) + "}"
    if isinstance(value, list):
        return "[" + ",".join(write(inner, rng, escape) for inner in value) + "]"
    return write_text(value, rng, escape) if isinstance(value, str) else json.dumps(value)


class Mutator:
    def __init__(self, rng: random.Random, words: list[str], names: list[str]) -> None:
        self.rng, self.words, self.names = rng, words, names

    def odd(self, value: Any) -> Any:
        """Something else in place of a value."""
        r = self.rng
        text = value if isinstance(value, str) else r.choice(self.words)
        return r.choice([
            None, None, True, False, 0, 1, -1, 2**53, 2**53 + 1, 10**40, 1.0, 0.5, 1e300, "", "None", "True", " ", [], Members(), [text],
            [[text]], Members([(text, text)]), Members([("type", text)]), text + " ", text.upper(), text.lower(), text + "\n", text + "é",
            text.replace("s", "ſ").replace("K", "\u212a"), text[:-1], text + "X", text[::-1], "\ud800", "\u0130", 0.0,
            r.choice(self.words), r.choice(self.words), r.choice(self.words), [r.choice(self.words), r.choice(self.words)],
            Members([(r.choice(self.names), r.choice(self.words))]),
        ])

    def places(self, value: Any) -> Iterator[tuple[Any, int]]:
        if isinstance(value, list):
            for at, inner in enumerate(value):
                yield value, at
                yield from self.places(inner[1] if isinstance(value, Members) else inner)

    def once(self, record: Members) -> None:
        r = self.rng
        kind = r.random()
        if kind < 0.35:  # a value that rules ask for, where they ask for it
            name = r.choice(["eventName", "eventName", "eventName", "eventSource", "errorCode", "errorMessage", *self.names])
            found = [at for at, (own, _) in enumerate(record) if own == name]
            value = r.choice(self.words)
            if found:
                record[found[-1]] = (name, value)
            else:
                record.append((name, value))
            return
        places = list(self.places(record))
        if r.random() < 0.4:
            places = [(record, at) for at in range(len(record))]
        if not places:
            return
        owner, at = r.choice(places)
        if not isinstance(owner, Members):
            owner[at] = self.odd(owner[at])
            return
        name, value = owner[at]
        if name == "eventTime" and r.random() < 0.5:  # some have no moment in UTC
            owner[at] = (name, r.choice(TIMES))
        elif kind < 0.45:
            del owner[at]
        elif kind < 0.55:
            owner[at] = (r.choice([name.lower(), name.upper(), name.title(), name + "é", name.replace("s", "ſ"), name + " "]), value)
        elif kind < 0.62:
            owner.insert(r.randrange(len(owner) + 1), (name, self.odd(value)))
        elif kind < 0.66:
            owner.insert(r.randrange(len(owner) + 1), (name.swapcase(), self.odd(value)))
        elif kind < 0.72 and isinstance(value, str):
            owner[at] = (name, r.choice(self.words))
        else:
            owner[at] = (name, self.odd(value))

    def record(self, seed: Any, number: int) -> str:
        record = parse(seed)
        if not isinstance(record, Members):
            return seed
        for _ in range(self.rng.choice([1, 1, 2, 2, 3, 5])):
            self.once(record)
        kept = Members((name, value) for name, value in record if name not in ("eventID", "addendum"))
        kept.insert(0, ("eventID", f"mutated-{number}"))
        return write(kept, self.rng, self.rng.choice([0.0, 0.0, 0.0, 0.02, 0.3]))


def words_of(packs: list[Path]) -> tuple[list[str], list[str]]:
    """The short texts in rules, and the names that they ask records for."""
    words: set[str] = set()
    names: set[str] = set()
    for path in (path for pack in packs for path in sorted(pack.rglob("*.py"))):
        try:
            tree = ast.parse(path.read_bytes())
        except (SyntaxError, ValueError):
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and len(node.value) <= 80:
                words.add(node.value)
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ("get", "deep_get"):
                names.update(part.value for part in node.args if isinstance(part, ast.Constant) and isinstance(part.value, str))
    return sorted(words), sorted(names)


def test_events(path: Path) -> Iterator[str]:
    """The events under `Log:` in the tests of a rule, as far as they are plain block YAML."""
    lines = path.read_text(encoding="utf-8").split("\n")
    for at, line in enumerate(lines):
        if line.strip() == "Log:":
            depth = len(line) - len(line.lstrip())
            end = next((n for n in range(at + 1, len(lines)) if lines[n].strip() and indent(lines[n]) <= depth), len(lines))
            try:
                yield json.dumps(block(lines[at + 1:end]))
            except (ValueError, IndexError):
                continue


def indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def block(lines: list[str]) -> Any:
    lines = [line for line in lines if line.strip() and not line.lstrip().startswith("#")]
    depth = indent(lines[0])
    starts = [n for n, line in enumerate(lines) if indent(line) == depth and (not line.lstrip().startswith("- ") or lines[0].lstrip().startswith("- "))]
    parts = [lines[start:end] for start, end in zip(starts, [*starts[1:], len(lines)])]
    if lines[0].lstrip().startswith("- "):
        return [item([" " * (depth + 2) + part[0].lstrip()[2:], *part[1:]]) for part in parts]
    found = {}
    for first, *rest in parts:
        match = re.fullmatch(r"\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s\"'][^:]*)):(?: (.*))?", first)
        if match is None:
            raise ValueError(first)
        found[match[1] or match[2] or match[3]] = block(rest) if rest else scalar(match[4] or "")
    return found


def item(lines: list[str]) -> Any:
    return block(lines) if re.match(r"\s*[\w\"']+:( |$)", lines[0]) else scalar(lines[0].strip())


def scalar(text: str) -> Any:
    text = text.strip()
    if text[:1] == "'" == text[-1:]:
        return text[1:-1].replace("''", "'")
    if text[:1] in ('"', "[", "{"):
        return json.loads(text)
    if text in ("", "null", "~", "true", "false"):
        return {"true": True, "false": False}.get(text)
    return int(text) if re.fullmatch(r"-?\d{1,15}", text) else text


def seeds(packs: list[Path]) -> list[str]:
    found = []
    for name in ("testdata/real-cloudtrail.jsonl", "testdata/guards/edge.jsonl", "testdata/guards/traps_values.jsonl"):
        for line in (ROOT / name).read_text(encoding="utf-8").splitlines():
            try:
                json.loads(line)
            except ValueError:
                continue
            found.append(line)
    for path in (path for pack in packs for path in sorted(pack.rglob("*.yml"))):
        found.extend(test_events(path))
    return found


def without_unreadable(directory: Path, name: str) -> str:
    """A copy of a pack of traps without the files that cannot be analysed, and without those that turn a pack off."""
    copy = directory / f"{Path(name).name}_readable"
    for path in sorted((ROOT / name).rglob("*")):
        if path.is_file() and path.name not in NOT_ANALYSED:
            target = copy / path.relative_to(ROOT / name)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
    return str(copy)


def mutated(args: argparse.Namespace, directory: Path, totals: Totals) -> None:
    packs = args.packs or PACKS
    paths = [ROOT / pack for pack in packs]
    rng = random.Random(args.seed)
    mutator = Mutator(rng, *words_of(paths))
    started = seeds(paths)
    print(f"{len(started)} seed records, {len(mutator.words)} texts and {len(mutator.names)} names from {len(packs)} packs", flush=True)
    if not args.packs:
        packs = [*packs, without_unreadable(directory, "testdata/guards/traps_plain")]
    number = 0
    while totals.verified < args.pairs:
        before = totals.verified
        records = directory / "records.jsonl"
        with records.open("w", encoding="utf-8", errors="surrogatepass") as file:
            for _ in range(BATCH):
                number += 1
                file.write(mutator.record(rng.choice(started), number) + "\n")
        run(args.binary, packs, records, totals)
        if number == BATCH and not args.packs:
            wide = sorted(str(path.relative_to(ROOT)) for path in (ROOT / WIDE).iterdir())
            for at in range(0, len(wide), 10):
                run(args.binary, wide[at:at + 10], records, totals)
        report(totals)
        if totals.verified == before:
            raise SystemExit("nothing is skipped, so nothing is proved")
        if totals.violations:
            keep(records, args)
            return


def generated(args: argparse.Namespace, directory: Path, totals: Totals) -> None:
    left, number = args.generated, 0
    while left > 0:
        number += 1
        rng = random.Random(args.seed * 1_000_003 + number)
        count = min(left, RULES_PER_PACK)
        left -= count
        pack = directory / f"generated{number}"
        soundness_rules.write_pack(pack, rng, count, panther=number % 2 == 0)
        records = directory / f"generated{number}.jsonl"
        with records.open("w", encoding="utf-8", errors="surrogatepass") as file:
            file.writelines(soundness_rules.record(rng, n) + "\n" for n in range(args.records))
        before = len(totals.violations)
        run(args.binary, [str(pack)], records, totals)
        if number % 20 == 0 or left <= 0:
            report(totals)
        if len(totals.violations) > before:
            keep(pack, args)
            keep(records, args)
            if len(totals.violations) > args.stop_after:
                return


def keep(path: Path, args: argparse.Namespace) -> None:
    """Moves what showed a violation to where it stays."""
    kept = Path(args.keep)
    kept.mkdir(parents=True, exist_ok=True)
    subprocess.run(["cp", "-r", str(path), str(kept)], check=True)
    print(f"kept {kept / path.name}", flush=True)


def report(totals: Totals) -> None:
    share = totals.verified / totals.pairs if totals.pairs else 0.0
    print(f"{totals.runs} runs, {totals.records} records, {totals.pairs} pairs of which {totals.errored} raised, {totals.verified} verified "
          f"({share:.1%}), {len(totals.violations)} violations", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("packs", nargs="*", metavar="PACK", help="packs to run, relative to the repository")
    parser.add_argument("--pairs", type=int, default=5_000_000, help="verified pairs to reach with mutated records")
    parser.add_argument("--generated", type=int, metavar="N", help="run N generated rules instead")
    parser.add_argument("--records", type=int, default=50, help="generated records for every pack of generated rules")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--binary", default=os.environ.get("IOTA", str(ROOT / "target/release/iota")))
    parser.add_argument("--keep", default=str(ROOT / "target/soundness-violations"), help="where to keep what showed a violation")
    parser.add_argument("--stop-after", type=int, default=0, help="violations to see before generated rules stop")
    parser.add_argument("--least-share", type=float, default=0.0, help="fail if a smaller part of the pairs was verified")
    args = parser.parse_args()
    totals = Totals()
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as directory:
        (generated if args.generated else mutated)(args, Path(directory), totals)
    for violation in totals.violations[:50]:
        print(violation)
    report(totals)
    print(f"{time.monotonic() - started:.0f} s, seed {args.seed}")
    enough = totals.verified >= args.least_share * totals.pairs
    return 1 if totals.violations or not enough else 0


if __name__ == "__main__":
    sys.exit(main())

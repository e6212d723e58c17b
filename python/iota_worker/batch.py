"""Evaluates a batch of (record, rules) pairs: the loop the worker spends its life in.
Must not know descriptors; turns the body of a `B` frame into the body of a `b` frame."""
from __future__ import annotations

import re
import struct
import sys
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from time import perf_counter_ns
from typing import Any, Callable

from . import logs
from .evaluate import Evaluation, encode
from .events import decode_panther, decode_plain, panther_event, plain_event, read_time, supplied_fields
from .load import Function, Pack
from .logs import Capture
from .state import State

FEW_RULES, SAMPLED = 16, 32
FULL_TRACEBACKS = 20  # of one rule in one batch; the rest are counted without
PART_SIZE = 1 << 20  # characters of matches and errors that are handed on together
RECURSION_LIMIT = 1_000
_PLANS_LIMIT = 4_096

_SURROGATES = re.compile("[\ud800-\udfff]")
_HEAD = struct.Struct("<QI")
_RECORD_LENGTH = struct.Struct("<I")
_RULE_COUNT = struct.Struct("<H")

Flavor = tuple[bool, str]
Run = tuple[Flavor, list[tuple[int, Function]]]  # rules that see the same event object


def to_bytes(text: str) -> bytes:
    """UTF-8; lone surrogates, wherever they are in the JSON, become U+FFFD."""
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError:
        return _SURROGATES.sub("\ufffd", text).encode("utf-8")


class Events:
    """The event objects of one record, made when a rule needs them."""

    def __init__(self, text: str, pack: Pack, parse_time: str) -> None:
        self._text = text
        self._pack = pack
        self._parse_time = parse_time
        self._event_time: Any = None

    def of(self, flavor: Flavor) -> Any:
        plain, log_type = flavor
        record = decode_plain(self._text) if plain else decode_panther(self._text)
        self._event_time = record.get("eventTime")
        supplied = supplied_fields(record, log_type, self._parse_time)
        return (plain_event if plain else panther_event)(record, supplied, self._pack)  # type: ignore[operator]

    def seconds(self) -> float | None:
        """The event time of the record that `of` has read, in seconds since 1970."""
        moment = read_time(self._event_time)
        return None if moment is None else moment.timestamp()


class Plan:
    """How the rules of a record are run."""

    def __init__(self, indices: list[int]) -> None:
        self.indices = indices
        self.runs: list[Run] = []
        self.uses_state = False


class Batches:
    """`hand_on` takes the body of a frame with a part of the result, before the batch is done."""

    def __init__(self, pack: Pack, state: State, capture: Capture, progress: Any,
                 parse_time: Callable[[], str], hand_on: Callable[[bytes], None]) -> None:
        self._pack = pack
        self._state = state
        self._capture = capture
        self._progress = progress  # one u64: the running pair + 1, 0 when idle
        self._parse_time = parse_time
        self._hand_on = hand_on
        self._turn = 0
        self._plans: dict[bytes, Plan] = {}

    def run(self, body: bytes) -> bytes:
        batch_id, count = _HEAD.unpack_from(body)
        head = struct.pack("<Q", batch_id)
        result = _Result()
        nanos = [0] * len(self._pack.rules)
        parse_time = self._parse_time()
        at, pair = _HEAD.size, 0
        try:
            for number in range(count):
                (length,) = _RECORD_LENGTH.unpack_from(body, at)
                at += _RECORD_LENGTH.size
                text = str(body[at:at + length], "utf-8")
                at += length
                (rules,) = _RULE_COUNT.unpack_from(body, at)
                at += _RULE_COUNT.size
                plan = self._plan(body[at:at + 2 * rules])
                at += 2 * rules
                result.starts.append(pair)
                result.indices.append(plan.indices)
                events = Events(text, self._pack, parse_time)
                self._state.begin_record(plan.uses_state, events.seconds)
                self._run_record(events, number, pair, plan.runs, result, nanos)
                pair += rules
                if result.size >= PART_SIZE:
                    for part in result.parts():
                        self._hand_on(head + to_bytes(part))
        finally:
            self._progress[0] = 0
        result.lines, result.dropped = self._capture.take()
        result.operations = self._state.take()
        return head + to_bytes(result.to_json(nanos))

    def _plan(self, packed: bytes) -> Plan:
        """The rules of a record, grouped by the event object they see; most records name one of a few sets."""
        known = self._plans.get(packed)
        if known is None:
            known = Plan(list(struct.unpack(f"<{len(packed) // 2}H", packed)))
            runs = known.runs
            for index in known.indices:
                rule = self._pack.rules[index]
                if rule is None:
                    raise LookupError(f"the engine asked for rule {index}, which did not load")
                if not runs or runs[-1][0] != rule.flavor:
                    runs.append((rule.flavor, []))
                runs[-1][1].append((index, rule.decide()))
                known.uses_state |= rule.uses_state
            if len(self._plans) >= _PLANS_LIMIT:
                self._plans.clear()
            self._plans[packed] = known
        return known

    def _run_record(self, events: Events, number: int, pair: int, runs: list[Run], result: _Result,
                    nanos: list[int]) -> None:
        logs.install(self._capture)  # a rule may have put something else there
        if sys.getrecursionlimit() != RECURSION_LIMIT:
            sys.setrecursionlimit(RECURSION_LIMIT)
        made: dict[Flavor, Any] = {}
        for flavor, rules in runs:
            try:
                if flavor not in made:
                    made[flavor] = events.of(flavor)
            except Exception as exc:
                for index, _ in rules:
                    self._failed(result, number, index, None, exc)
            else:
                self._run_timed(rules, made[flavor], number, pair, result, nanos)
            pair += len(rules)

    def _run_timed(self, rules: list[tuple[int, Function]], event: Any, number: int, pair: int, result: _Result,
                   nanos: list[int]) -> None:
        """Measures each rule, or with many rules one time in 32: reading the clock costs more than most rules."""
        weight = 1
        if len(rules) > FEW_RULES:
            self._turn += 1
            if self._turn % SAMPLED:
                self._run_rules(rules, event, number, pair, result)
                return
            weight = SAMPLED
        for offset, item in enumerate(rules):
            start = perf_counter_ns()
            self._run_rules((item,), event, number, pair + offset, result)
            nanos[item[0]] += (perf_counter_ns() - start) * weight

    def _run_rules(self, rules: Sequence[tuple[int, Function]], event: Any, number: int, pair: int,
                   result: _Result) -> None:
        progress = self._progress
        for index, decide in rules:
            pair += 1
            progress[0] = pair
            try:
                decision = decide(event)
                if decision is not False:
                    self._consider(result, number, index, event, decision)
            except BaseException as exc:
                self._state.discard(pair)
                self._failed(result, number, index, event, exc)

    def _consider(self, result: _Result, number: int, index: int, event: Any, decision: Any) -> None:
        """A result other than False: a match, nothing in particular, or a wrong type."""
        evaluation = Evaluation(self._pack.rules[index], event, self._pack.snapshot)  # type: ignore[arg-type]
        if evaluation.decided(decision):
            result.add_match(number, index, evaluation.match())
        elif evaluation.errors:
            self._state.discard(self._progress[0])
        result.add_errors(number, index, evaluation.errors)

    def _failed(self, result: _Result, number: int, index: int, event: Any, exc: BaseException) -> None:
        evaluation = Evaluation(self._pack.rules[index], event, self._pack.snapshot)  # type: ignore[arg-type]
        evaluation.raised("rule", exc)
        result.add_errors(number, index, evaluation.errors)


class _Result:
    """What a batch has produced and not handed on yet."""

    def __init__(self) -> None:
        self.matches: list[str] = []  # as JSON, like the errors
        self.errors: list[str] = []
        self.size = 0  # of both, in characters
        self.starts: list[int] = []  # the first pair number of each record
        self.indices: list[list[int]] = []  # its rules
        self.lines: list[tuple[Any, str]] = []
        self.dropped = 0
        self.operations: dict[int, list[dict[str, Any]]] = {}
        self._tracebacks: dict[int, int] = {}

    def add_match(self, record: int, rule: int, fields: dict[str, str]) -> None:
        text = ",".join([f'"{name}":{value}' for name, value in fields.items()])
        self._keep(self.matches, f'{{"record":{record},"rule":{rule},{text}}}')

    def add_errors(self, record: int, rule: int, found: dict[str, dict[str, Any]]) -> None:
        for function, error in found.items():
            seen = self._tracebacks[rule] = self._tracebacks.get(rule, 0) + 1
            if seen > FULL_TRACEBACKS:
                error = {**error, "traceback": ""}
            self._keep(self.errors, encode({"record": record, "rule": rule, "function": function, **error}))

    def _keep(self, items: list[str], item: str) -> None:
        items.append(item)
        self.size += len(item)

    def parts(self) -> Iterator[str]:
        """Every rule may match, and each match be large: what is much is handed on in parts as soon as a record is done,
        so that neither side has to hold all of it at once."""
        for name, items in (("matches", self.matches), ("errors", self.errors)):
            start = size = 0
            for end, item in enumerate(items, start=1):
                size += len(item)
                if size >= PART_SIZE or end == len(items):
                    yield f'{{"{name}":[{",".join(items[start:end])}]}}'
                    start, size = end, 0
            items.clear()
        self.size = 0

    def _pair(self, running: int) -> dict[str, int]:
        """The record and rule of a value of the progress file."""
        record = bisect_right(self.starts, running - 1) - 1
        return {"record": record, "rule": self.indices[record][running - 1 - self.starts[record]]}

    def to_json(self, nanos: list[int]) -> str:
        reply: dict[str, Any] = {
            "logs": [{**self._pair(place), "text": text} for place, text in self.lines if place],
            "state": [{**self._pair(pair), "ops": ops} for pair, ops in sorted(self.operations.items())],
            "nanos": {str(index): spent for index, spent in enumerate(nanos) if spent},
        }
        if self.dropped:
            reply["logs_dropped"] = self.dropped
        return f'{{"matches":[{",".join(self.matches)}],"errors":[{",".join(self.errors)}],{encode(reply)[1:]}'

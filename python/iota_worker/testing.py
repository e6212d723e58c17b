"""Runs one rule on the log of one of its tests: every function is called, mocks stand in for globals.
Must not know what the test expects; the engine compares."""
from __future__ import annotations

import builtins
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Callable

from . import errors, logs
from .batch import Events, to_bytes
from .evaluate import Evaluation, encode
from .load import Pack, Rule
from .logs import Capture
from .state import State

_ABSENT = object()


class UnknownMock(LookupError):
    """A test mocks a name that the rule's module does not have."""


class Tests:
    def __init__(self, pack: Pack, state: State, capture: Capture, progress: Any,
                 parse_time: Callable[[], str]) -> None:
        self._pack = pack
        self._state = state
        self._capture = capture
        self._progress = progress
        self._parse_time = parse_time

    def run(self, body: bytes) -> bytes:
        test = json.loads(body)
        rule = self._pack.rules[test["rule"]]
        if rule is None:
            return _failed_to_load(self._pack.failures[test["rule"]])
        logs.install(self._capture)
        self._progress[0] = 1
        try:
            with mocked(rule, test.get("mocks") or []):
                answer = self._evaluate(rule, test)
        except UnknownMock as exc:
            return _failed_to_load(errors.stated("UnknownMock", str(exc), rule.path, None))
        finally:
            self._progress[0] = 0
            self._state.take()  # what a test counts is nobody else's
            lines, _ = self._capture.take()
        texts = encode([text for _, text in lines])
        return to_bytes(f'{answer[:-1]},"logs":{texts}}}')

    def _evaluate(self, rule: Rule, test: dict[str, Any]) -> str:
        text = json.dumps(test["log"])
        events = Events(text, self._pack, self._parse_time())
        event = events.of((rule.plain, test.get("log_type") or rule.log_type))
        self._state.begin_record(True, events.seconds)
        evaluation = Evaluation(rule, event, self._pack.snapshot)
        matched = False
        try:
            if rule.filters is not None and not rule.filters(event._raw()):
                return '{"matched":false,"filtered":true,"errors":{},"match":null}'
            matched = evaluation.decided(rule.functions["rule"](event))
        except BaseException as exc:
            evaluation.raised("rule", exc)
        fields = evaluation.match()
        match = "{" + ",".join(f'"{name}":{value}' for name, value in fields.items()) + "}" if matched else "null"
        errors = encode(evaluation.errors)
        return f'{{"matched":{encode(matched)},"filtered":false,"errors":{errors},"match":{match}}}'


def _failed_to_load(failure: dict[str, Any]) -> bytes:
    return to_bytes(encode({"matched": False, "filtered": False, "errors": {"rule": failure}, "match": None, "logs": []}))


@contextmanager
def mocked(rule: Rule, mocks: list[dict[str, Any]]) -> Iterator[None]:
    """Replaces globals of the rule's module by mocks that return the given values, for the time of the test."""
    if rule.module is None or not mocks:
        yield
        return
    from unittest.mock import MagicMock  # imported by the worker when it was told that there are mocks

    names = vars(rule.module)
    for mock in mocks:
        if mock["name"] not in names and not hasattr(builtins, mock["name"]):
            raise UnknownMock(f"the mock `{mock['name']}` replaces nothing: {rule.path} has no such name")
    before = {mock["name"]: names.get(mock["name"], _ABSENT) for mock in mocks}
    names.update({mock["name"]: MagicMock(return_value=mock.get("value")) for mock in mocks})
    try:
        yield
    finally:
        for name, value in before.items():
            if value is _ABSENT:
                names.pop(name, None)
            else:
                names[name] = value

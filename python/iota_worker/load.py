"""Loads the rules of a pack from its snapshot and says, rule by rule, what works, what does not and why.
Must not know records or how results are reported; a rule that does not load never stops another."""
from __future__ import annotations

import gc
import sys
from collections.abc import Iterable
from functools import partial
from types import FunctionType, ModuleType
from typing import Any, Callable

from . import errors
from .datamodel import DataModels, PathError
from .events import freeze
from .logs import Capture
from .shims import state_watched
from .snapshot import Snapshot

FUNCTIONS = ("rule", "title", "description", "reference", "severity", "runbook", "destinations", "dedup",
             "alert_context", "unique")
MOST_RULES = 1 << 16  # of a pack
SEVERITIES = ("INFO", "LOW", "MEDIUM", "HIGH", "CRITICAL")

Function = Callable[[Any], Any]  # takes the event, whatever the rule's own function takes


class LoadError(errors.Stated):
    """A rule that does not keep the contract."""

    def __init__(self, message: str, line: int | None = None) -> None:
        super().__init__(message)
        self.line = line


class NoRuleFunction(LoadError):
    """The module is no rule."""


class BadSignature(LoadError):
    """A function of the contract cannot be called as the contract says."""


class Rule:
    """A rule that can run."""

    def __init__(self, spec: dict[str, Any]) -> None:
        self.index: int = spec["index"]
        self.id: str = spec["id"]
        self.plain: bool = spec["dialect"] == "plain"
        self.log_type: str = spec["log_type"]
        self.path: str | None = spec["path"]
        self.severity: str = (spec.get("severity") or "INFO").upper()
        self.functions: dict[str, Function] = _written_in_yaml(spec)
        self.filters: Function | None = self.functions.pop("filters", None)
        self.module: ModuleType | None = None
        self.uses_state = False
        self.lines: dict[str, int | None] = {}  # of the functions that the rule's own file defines
        self.find_line: Callable[[str], int | None] | None = None  # of the others

    @property
    def flavor(self) -> tuple[bool, str]:
        """Rules of one flavor share the event object of a record."""
        return self.plain, self.log_type

    def line(self, name: str) -> int | None:
        """Where the rule's file defines or imports a function. None when the function is not of the file."""
        if name not in self.lines and self.find_line is not None and name in vars(self.module):
            self.lines[name] = self.find_line(name)
        return self.lines.get(name)

    def decide(self) -> Function:
        """Inline filters and `rule` in one call."""
        rule, filters = self.functions["rule"], self.filters
        if filters is None:
            return rule
        return lambda event: filters(event._raw()) and rule(event)


class Pack:
    """All that the events and rules of a worker share. Is the `Surroundings` of every event."""

    def __init__(self, header: dict[str, Any], snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self._prepared: dict[str, Any] | None = header.get("prepared")
        self.rules: list[Rule | None] = []
        self.failures: dict[int, dict[str, Any]] = {}
        self.warnings: list[dict[str, Any]] = snapshot.warnings
        self._looks_closer = False  # at a function that is more than a plain `def`
        self._tables = {name: freeze(table) for name, table in (header.get("lookup_tables") or {}).items()}
        self._models = DataModels()

    def lookup(self, table: str, key: Any) -> Any:
        if table not in self._tables:
            raise LookupError(f"lookup table {table!r} is not declared in pack.yaml")
        return self._tables[table].get(key if isinstance(key, str) else str(key))

    def udm_source(self, log_type: str, name: str) -> Any:
        return self._models.sources.get(log_type, {}).get(name)

    def udm_path(self, log_type: str, name: str) -> str | None:
        return self._models.paths.get(log_type, {}).get(name)

    # ---- loading

    def load(self, header: dict[str, Any], capture: Capture, progress: memoryview) -> dict[str, Any]:
        """Loads data models and rules; returns the load report, without the fields about the interpreter.

        `progress` tells the engine which rule or data model is being loaded, should that end the process or take long.
        """
        here = capture.here
        capture.here = lambda: _importing_place(self.snapshot)
        try:
            with state_watched(self.snapshot.note_state_use):
                for number, model in enumerate(header.get("data_models") or (), start=1):
                    progress[0] = MOST_RULES + number
                    self._load_data_model(model)
                self._note_printed(capture)
                reports = []
                for spec in header["rules"]:
                    progress[0] = spec["index"] + 1
                    reports.append(self._load_rule(spec, capture))
        finally:
            progress[0] = 0
            capture.here = here
        if self._prepared is None:
            self._find_state_users(header.get("data_models") or ())
        stateful = set() if self._prepared is None else set(self._prepared["stateful"])
        for report in reports:
            rule = self.rules[report["index"]]
            if rule is not None:
                rule.uses_state |= rule.index in stateful
                report["uses_state"] = rule.uses_state
        self.snapshot.forget_sources()
        # What was loaded stays, and events hold no cycles: looking for garbage among them is nearly all in vain.
        gc.freeze()
        gc.set_threshold(10_000)
        report = {"rules": reports, "warnings": self.warnings}
        return report if self._prepared is not None else {**report, "prepared": self._preparation()}

    def _preparation(self) -> dict[str, Any]:
        """What another worker of this pack is told, so that it needs to find out nothing."""
        prepared = self.snapshot.preparation()
        if self._looks_closer:
            prepared["imports"].append("inspect")
        return {**prepared, "stateful": [rule.index for rule in self.rules if rule is not None and rule.uses_state]}

    def _load_rule(self, spec: dict[str, Any], capture: Capture) -> dict[str, Any]:
        index = spec["index"]
        rule = None
        try:
            rule = self._build(spec)
        except BaseException as exc:  # SystemExit, RecursionError and the like at import are this rule's error
            failure = errors.describe(exc, self.snapshot)
            if isinstance(exc, errors.Stated):
                failure.update(path=spec["path"], line=getattr(exc, "line", None), traceback="")
            elif failure["path"] is None:
                failure["path"] = spec["path"]
            self.failures[index] = failure
        self.rules += [None] * (index + 1 - len(self.rules))
        self.rules[index] = rule
        printed = self._note_printed(capture, spec["path"])
        if rule is None:
            return {"index": index, "error": self.failures[index], "warnings": printed}
        hints = self._hints(rule) if self._prepared is None else []
        return {"index": index, "defined_at": _defined_at(rule), "warnings": [*hints, *printed]}

    def _find_state_users(self, data_models: Iterable[dict[str, Any]]) -> None:
        """Marks the rules that use the stateful helpers; all of them where it cannot be told which.

        Any rule may ask a data model, and a module imported through importlib may be anybody's.
        """
        keeps_state = self.snapshot.keeps_state
        all_of_them = self.snapshot.hides_state() or any(keeps_state(model.get("python") or "") for model in data_models)
        for rule in self.rules:
            if rule is not None:
                rule.uses_state = all_of_them or (rule.path is not None and keeps_state(rule.path))

    def _build(self, spec: dict[str, Any]) -> Rule:
        rule = Rule(spec)
        if spec["path"] is not None:
            self._add_module(rule, spec["path"])
        if "rule" not in rule.functions:
            raise NoRuleFunction("the module defines no function `rule`", 1)
        rule.functions = {name: rule.functions[name] for name in FUNCTIONS if name in rule.functions}
        return rule

    def _add_module(self, rule: Rule, path: str) -> None:
        if path not in self.snapshot.files:
            raise LoadError(f"{path} is not in the snapshot")
        rule.module = self.snapshot.load(path)
        rule.find_line = partial(self.snapshot.definition_line, path)
        for name in FUNCTIONS:
            if name in vars(rule.module):
                self._add_function(rule, name, vars(rule.module)[name])

    def _add_function(self, rule: Rule, name: str, function: Any) -> None:
        code = getattr(function, "__code__", None)
        if getattr(code, "co_filename", None) == rule.path:
            rule.lines[name] = code.co_firstlineno
        try:
            count = plain_arguments(function)
            if count is None:
                self._looks_closer = True
                count = positional_arguments(name, function)
        except BadSignature as exc:
            raise BadSignature(str(exc), rule.line(name)) from None
        rule.functions[name] = function if count else _without_event(function)

    def _hints(self, rule: Rule) -> list[dict[str, Any]]:
        if rule.path is None:
            return []
        hints = list(self.snapshot.source(rule.path).kept_state)
        if callable(vars(rule.module).get("threshold")):
            hints.append((self.snapshot.definition_line(rule.path, "threshold") or 1,
                          "threshold() is never called; set `Threshold` in the .yml of the rule"))
        return [{"line": line, "message": message} for line, message in sorted(hints)]

    def _note_printed(self, capture: Capture, path: str | None = None) -> list[dict[str, Any]]:
        """What was printed during import: warnings of the rule, or of the pack when another file printed it."""
        own = []
        for place, text in capture.take()[0]:
            printed_by, line = place if isinstance(place, tuple) else (None, None)
            if path is not None and printed_by == path:
                own.append({"line": line, "message": f"printed at import: {text}"})
            else:
                self.warnings.append({"path": printed_by, "line": line, "message": f"printed at import: {text}"})
        return own

    # ---- data models

    def _load_data_model(self, model: dict[str, Any]) -> None:
        module = None
        if model.get("python"):
            try:
                module = self.snapshot.load(model["python"])
            except BaseException as exc:
                failure = errors.describe(exc, self.snapshot, with_traceback=False)
                self._warn_model(model, failure["line"], f"{failure['type']}: {failure['message']}",
                                 failure["path"] or model["python"])
        for mapping in model.get("mappings") or ():
            self._add_mapping(model, mapping, module)

    def _add_mapping(self, model: dict[str, Any], mapping: dict[str, Any], module: ModuleType | None) -> None:
        name, log_types = mapping["name"], model.get("log_types") or []
        if mapping.get("method"):
            method = getattr(module, mapping["method"], None)
            if callable(method):
                self._models.add_method(log_types, name, method)
                return
            problem = f"{name}: no function {mapping['method']!r} in the data model"
        else:
            try:
                self._models.add_path(log_types, name, mapping.get("path"))
                return
            except PathError as exc:
                problem = f"{name}: {exc}"
        self._warn_model(model, None, problem, model["path"])
        self._models.add_method(log_types, name, _broken(f"data model {model['id']}: {problem}"))

    def _warn_model(self, model: dict[str, Any], line: int | None, message: str, path: str) -> None:
        self.warnings.append({"path": path, "line": line, "message": f"data model {model['id']}: {message}"})


def _broken(message: str) -> Function:
    def method(event: Any) -> Any:
        raise LookupError(message)

    return method


def _without_event(function: Callable[[], Any]) -> Function:
    return lambda event: function()


def _of_data(function: Callable[[Any], Any]) -> Function:
    return lambda event: function(event._raw())


_IN_YAML = ("inline_filters", "detection", "alert_title", "dynamic_severities", "group_by", "alert_context")


def import_first(header: dict[str, Any]) -> None:
    """Imports what loading this pack takes beside what it names: later it may be too late to open a file."""
    if any(spec.get(key) for spec in header["rules"] for key in _IN_YAML):
        from . import expressions  # noqa: F401
        if header.get("prepared") is None:
            import difflib  # noqa: F401
    if header.get("prepared") is None:
        import inspect  # noqa: F401
    if header.get("prepared") is None or header.get("sandbox"):
        from . import source, testing  # noqa: F401
    if header.get("mocks"):
        import unittest.mock  # noqa: F401  half of a worker's start-up time


def _written_in_yaml(spec: dict[str, Any]) -> dict[str, Function]:
    """The functions a rule has without Python, and its `filters`; a function of its module takes the place of one of
    these."""
    if not any(spec.get(key) for key in _IN_YAML):
        return {}
    from . import expressions

    written: dict[str, tuple[Any, Callable[[Any], Function]]] = {
        "filters": (spec.get("inline_filters"), expressions.compile_filters),
        "rule": (spec.get("detection"), expressions.compile_detection),
        "title": (spec.get("alert_title"), expressions.compile_title),
        "severity": (spec.get("dynamic_severities"), expressions.compile_severities),
        "dedup": (spec.get("group_by"), expressions.compile_group),
        "alert_context": (spec.get("alert_context"), expressions.compile_context),
    }
    given = {name: partial(make, value) for name, (value, make) in written.items() if value}
    made = dict(zip(given, expressions.collected(given.values())))
    return {name: function if name == "filters" else _of_data(function) for name, function in made.items()}


def positional_arguments(name: str, function: Any) -> int:
    """How many positional arguments, 0 or 1, a contract function is called with. Raises BadSignature."""
    import inspect

    if inspect.isclass(function):
        raise BadSignature(f"`{name}` is a class, not a function")
    if not callable(function):
        raise BadSignature(f"`{name}` is not callable (it is {errors.type_name(function)})")
    called = function if inspect.isroutine(function) else getattr(type(function), "__call__", function)
    for candidate in (function, called):
        if inspect.iscoroutinefunction(candidate) or inspect.isasyncgenfunction(candidate):
            raise BadSignature(f"`{name}` is an async function: it must be a plain `def`")
        if inspect.isgeneratorfunction(candidate):
            raise BadSignature(f"`{name}` is a generator (it uses yield): it must return its result")
    # A decorator may take anything and pass it on: then what it wraps decides.
    accepted = _accepted(function, follow=False)
    accepted = accepted & _accepted(function, follow=True) or accepted
    if not accepted:
        raise BadSignature(f"`{name}{inspect.signature(function)}` cannot be called with the event or without arguments")
    return max(accepted)


def plain_arguments(function: Any) -> int | None:
    """The answer for a plain `def` or `lambda`, which nearly every function is: `inspect` takes many times as long."""
    if type(function) is not FunctionType or function.__dict__ or function.__kwdefaults__:
        return None
    code = function.__code__
    if code.co_flags & _NOT_CALLED_PLAINLY or code.co_kwonlyargcount:
        return None
    most = code.co_argcount
    least = most - len(function.__defaults__ or ())
    if least > 1:
        return None
    return 1 if most or code.co_flags & _ANY_NUMBER else 0


# Flags of a code object, as `inspect` names them.
_ANY_NUMBER = 0x04  # CO_VARARGS
_NOT_CALLED_PLAINLY = 0x20 | 0x80 | 0x100 | 0x200  # CO_GENERATOR, CO_COROUTINE, CO_ITERABLE_COROUTINE, CO_ASYNC_GENERATOR


def _accepted(function: Any, follow: bool) -> set[int]:
    import inspect

    try:
        signature = inspect.signature(function, follow_wrapped=follow)
    except (TypeError, ValueError):  # built in, without a signature
        return {1}
    accepted = set()
    for count in (0, 1):
        try:
            signature.bind(*[None] * count)
            accepted.add(count)
        except TypeError:
            pass
    return accepted


def _defined_at(rule: Rule) -> int | None:
    """The line of the `def` of `rule`, if the function is the one that its own file says."""
    function = vars(rule.module).get("rule") if rule.module is not None else None
    code = function.__code__ if type(function) is FunctionType else None
    return code.co_firstlineno if code is not None and code.co_filename == rule.path else None


def _importing_place(snapshot: Snapshot) -> tuple[str, int] | None:
    frame = sys._getframe(1)
    while frame is not None:
        if frame.f_code.co_filename in snapshot.files:
            return frame.f_code.co_filename, frame.f_lineno
        frame = frame.f_back  # type: ignore[assignment]
    return None

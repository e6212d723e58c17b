"""Match expressions written in YAML: inline filters, `Detection`, and the alert fields of simple detections.
Must not know rules, Python functions or the protocol: an expression becomes a predicate over JSON data."""
from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Iterable
from functools import partial
from typing import Any, Callable

from . import errors
from .datamodel import Path, PathError

Predicate = Callable[[Any], bool]


class ExpressionError(errors.Stated, ValueError):
    """Expressions that are not of the documented language: a line for each, which begins with what leads to it, as in
    `Detection[0].All[1]: why`."""

    def __init__(self, where: str, message: str) -> None:
        self.lines = [" ".join(f"{where}: {message}".splitlines())]
        super().__init__(*self.lines)

    @classmethod
    def all_of(cls, failures: list[ExpressionError]) -> ExpressionError:
        """The failures, of which there is at least one, in one."""
        one = failures[0]
        one.lines = [line for failure in failures for line in failure.lines]
        one.args = ("\n".join(one.lines),)
        return one


def collected(makers: Iterable[Callable[[], Any]]) -> list[Any]:
    """What the calls return, or all that they say is wrong."""
    made, failures = [], []
    for make in makers:
        try:
            made.append(make())
        except ExpressionError as exc:
            failures.append(exc)
    if failures:
        raise ExpressionError.all_of(failures)
    return made


class _Missing:
    def __repr__(self) -> str:
        return "<missing>"


MISSING = _Missing()

# ---- conditions over a value and an operand: True, False, or None when the condition does not apply to the value

Test = Callable[[Any, Any], "bool | None"]
_STR, _NUMBER = str, (int, float)


def _same(value: Any, operand: Any) -> bool:
    """Equality that keeps booleans and numbers apart: `Value: true` does not match 1."""
    if isinstance(value, bool) is not isinstance(operand, bool):
        return False
    return value == operand


def _fold(value: Any) -> Any:
    return value.casefold() if isinstance(value, str) else value


def _text(test: Callable[[str, str], bool], fold: bool = False) -> Test:
    def apply(value: Any, operand: Any) -> bool | None:
        if not isinstance(value, _STR) or not isinstance(operand, _STR):
            return None
        return test(_fold(value), _fold(operand)) if fold else test(value, operand)

    return apply


def _contains(fold: bool) -> Test:
    def apply(value: Any, operand: Any) -> bool | None:
        if isinstance(value, str):
            if not isinstance(operand, str):
                return None
            return _fold(operand) in _fold(value) if fold else operand in value
        if isinstance(value, list):
            wanted = _fold(operand) if fold else operand
            return any(_same(_fold(item) if fold else item, wanted) for item in value)
        return None

    return apply


def _ordered(test: Callable[[Any, Any], bool]) -> Test:
    def apply(value: Any, operand: Any) -> bool | None:
        for kind in (_NUMBER, _STR):
            if isinstance(value, kind) and isinstance(operand, kind):
                return None if isinstance(value, bool) or isinstance(operand, bool) else test(value, operand)
        return None

    return apply


def _address(value: Any) -> Any:
    try:
        return ipaddress.ip_address(value) if isinstance(value, str) else None
    except ValueError:
        return None


def _network(value: Any) -> Any:
    try:
        return ipaddress.ip_network(value, strict=False) if isinstance(value, str) else None
    except ValueError:
        return None


def _about_address(test: Callable[[Any], bool]) -> Test:
    def apply(value: Any, operand: Any) -> bool:
        address = _address(value)
        return address is not None and test(address)

    return apply


def _in_cidr(value: Any, operand: Any) -> bool | None:
    address = _address(value)
    return None if address is None else any(address in network for network in operand)


def _cidr_contains(value: Any, operand: Any) -> bool | None:
    network = _network(value)
    return None if network is None else any(address in network for address in operand)


_equals: Test = _same
_iequals: Test = lambda value, operand: _same(_fold(value), _fold(operand))  # noqa: E731

# name: (test, inverse?). An inverse condition is true when its test is false or does not apply.
_VALUE_CONDITIONS: dict[str, tuple[Test, bool]] = {
    "Equals": (_equals, False), "DoesNotEqual": (_equals, True),
    "IEquals": (_iequals, False), "IDoesNotEqual": (_iequals, True),
    "StartsWith": (_text(str.startswith), False), "DoesNotStartWith": (_text(str.startswith), True),
    "IStartsWith": (_text(str.startswith, True), False), "IDoesNotStartWith": (_text(str.startswith, True), True),
    "EndsWith": (_text(str.endswith), False), "DoesNotEndWith": (_text(str.endswith), True),
    "IEndsWith": (_text(str.endswith, True), False), "IDoesNotEndWith": (_text(str.endswith, True), True),
    "Contains": (_contains(False), False), "DoesNotContain": (_contains(False), True),
    "IContains": (_contains(True), False), "IDoesNotContain": (_contains(True), True),
    "IsGreaterThan": (_ordered(lambda a, b: a > b), False),
    "IsGreaterThanOrEqual": (_ordered(lambda a, b: a >= b), False),
    "IsGreaterThanOrEquals": (_ordered(lambda a, b: a >= b), False),
    "IsLessThan": (_ordered(lambda a, b: a < b), False),
    "IsLessThanOrEqual": (_ordered(lambda a, b: a <= b), False),
    "IsLessThanOrEquals": (_ordered(lambda a, b: a <= b), False),
}
_LIST_CONDITIONS: dict[str, bool] = {"IsIn": False, "IsNotIn": True}
# These take `Value` (one) or `Values` (any of them).
_NETWORK_CONDITIONS: dict[str, tuple[Test, Callable[[Any], Any], bool]] = {
    "IsIPAddressInCIDR": (_in_cidr, _network, False), "IsIPAddressNotInCIDR": (_in_cidr, _network, True),
    "CIDRContainsIPAddresses": (_cidr_contains, _address, False),
    "CIDRDoesNotContainIPAddresses": (_cidr_contains, _address, True),
}
_UNARY_CONDITIONS: dict[str, tuple[Test, bool]] = {
    "IsIPAddress": (_about_address(lambda a: True), False),
    "IsIPv4Address": (_about_address(lambda a: a.version == 4), False),
    "IsIPv6Address": (_about_address(lambda a: a.version == 6), False),
    "IsIPAddressPrivate": (_about_address(lambda a: a.is_private), False),
    "IsIPAddressPublic": (_about_address(lambda a: a.is_global), False),
    "IsNull": (lambda value, _: value is None, False), "IsNotNull": (lambda value, _: value is None, True),
    "IsNullOrEmpty": (lambda value, _: value is None or value == "" or value == [] or value == {}, False),
    "IsNotNullOrEmpty": (lambda value, _: value is None or value == "" or value == [] or value == {}, True),
}
_EXISTENCE_CONDITIONS: dict[str, bool] = {"Exists": False, "DoesNotExist": True}
_ELEMENT_CONDITIONS: dict[str, Callable[[int, int], bool]] = {
    "AnyElement": lambda matching, total: matching > 0,
    "AllElements": lambda matching, total: matching == total,
    "OnlyOneElement": lambda matching, total: matching == 1,
    "NoElement": lambda matching, total: matching == 0,
}
_ABSOLUTE_CONDITIONS: dict[str, bool] = {"AlwaysTrue": True, "AlwaysFalse": False}
_COMBINATORS: dict[str, Callable[[list[Predicate], Any], bool]] = {
    "All": lambda parts, data: all(part(data) for part in parts),
    "Any": lambda parts, data: any(part(data) for part in parts),
    "OnlyOne": lambda parts, data: sum(part(data) for part in parts) == 1,
    "None": lambda parts, data: not any(part(data) for part in parts),
}
_KEY_SPECIFIERS = ("Key", "DeepKey", "KeyPath")
_CONDITIONS = (_VALUE_CONDITIONS.keys() | _LIST_CONDITIONS.keys() | _NETWORK_CONDITIONS.keys()
               | _UNARY_CONDITIONS.keys() | _EXISTENCE_CONDITIONS.keys() | _ELEMENT_CONDITIONS.keys()
               | _ABSOLUTE_CONDITIONS.keys())


def _meant(condition: Any) -> str:
    """The condition that was probably meant, as the end of a message."""
    import difflib  # imported before, by load.import_first()

    folded = {name.lower(): name for name in sorted(_CONDITIONS)}
    close = difflib.get_close_matches(str(condition).lower(), folded, n=1, cutoff=0.7)
    return f"; did you mean {folded[close[0]]!r}?" if close else ""


def compile_filters(expressions: Any, where: str = "InlineFilters") -> Predicate:
    """Inline filters: all must pass, and one whose field is missing passes."""
    return _compile_list(expressions, where, _Compiler(missing_passes=True))


def compile_detection(expressions: Any, where: str = "Detection") -> Predicate:
    """A `Detection` or a list of `Conditions`: all must match; a missing field counts as null."""
    return _compile_list(expressions, where, _Compiler(missing_passes=False))


def _compile_list(expressions: Any, where: str, compiler: _Compiler) -> Predicate:
    parts = compiler.each(expressions, where)
    return parts[0] if len(parts) == 1 else lambda data: all(part(data) for part in parts)


class _Compiler:
    def __init__(self, missing_passes: bool) -> None:
        self._missing_passes = missing_passes

    def each(self, expressions: Any, where: str) -> list[Predicate]:
        if isinstance(expressions, dict):
            expressions = [expressions]
        if not isinstance(expressions, list) or not expressions:
            raise ExpressionError(where, "a list of match expressions is needed")
        return collected(partial(self.one, item, f"{where}[{index}]") for index, item in enumerate(expressions))

    def one(self, expression: Any, where: str) -> Predicate:
        if not isinstance(expression, dict):
            raise ExpressionError(where, f"a match expression is a mapping, not {expression!r}")
        if "Enrichment" in expression:
            raise ExpressionError(where, "enrichment match expressions are not supported")
        combinator = next((name for name in _COMBINATORS if name in expression), None)
        if combinator is not None:
            _known_keys(expression, (combinator,), where, keys=False)
            parts = self.each(expression[combinator], f"{where}.{combinator}")
            combine = _COMBINATORS[combinator]
            return lambda data: combine(parts, data)
        condition = expression.get("Condition")
        if not isinstance(condition, str) or condition not in _CONDITIONS:
            raise ExpressionError(where, f"unknown condition {condition!r}{_meant(condition)}")
        return self._condition(condition, expression, where)

    def _condition(self, condition: str, expression: dict[str, Any], where: str) -> Predicate:
        if condition in _ABSOLUTE_CONDITIONS:
            _known_keys(expression, ("Condition",), where, keys=False)
            result = _ABSOLUTE_CONDITIONS[condition]
            return lambda data: result
        if condition in _ELEMENT_CONDITIONS:
            return self._elements(condition, expression, where)
        if condition in _VALUE_CONDITIONS and "Values" in expression:
            return self._two_keys(condition, expression, where)
        read = key_reader(expression, where, optional=True)
        if condition in _EXISTENCE_CONDITIONS:
            _known_keys(expression, ("Condition",), where)
            inverse = _EXISTENCE_CONDITIONS[condition]
            return lambda data: (read(data) is MISSING) is inverse
        test, operand, inverse = _operand(condition, expression, where)
        return self._tested(read, test, operand, inverse)

    def _tested(self, read: Callable[[Any], Any], test: Test, operand: Any, inverse: bool) -> Predicate:
        missing_passes = self._missing_passes

        def apply(data: Any) -> bool:
            value = read(data)
            if value is MISSING:
                if missing_passes:
                    return True
                value = None
            return bool(test(value, operand)) is not inverse

        return apply

    def _two_keys(self, condition: str, expression: dict[str, Any], where: str) -> Predicate:
        _known_keys(expression, ("Condition", "Values"), where, keys=False)
        values = expression["Values"]
        if not isinstance(values, list) or len(values) != 2:
            raise ExpressionError(where, f"{condition} with Values compares exactly two keys")
        left, right = (key_reader(value, f"{where}.Values[{index}]") for index, value in enumerate(values))
        test, inverse = _VALUE_CONDITIONS[condition]
        missing_passes = self._missing_passes

        def apply(data: Any) -> bool:
            pair = left(data), right(data)
            if MISSING in pair:
                if missing_passes:
                    return True
                pair = tuple(None if value is MISSING else value for value in pair)
            return bool(test(*pair)) is not inverse

        return apply

    def _elements(self, condition: str, expression: dict[str, Any], where: str) -> Predicate:
        _known_keys(expression, ("Condition", "Expressions"), where)
        read = key_reader(expression, where, optional=True)
        # Inside an element nothing is filtered any more: a missing field is a field that does not match.
        matches = _compile_list(expression.get("Expressions"), f"{where}.Expressions", _Compiler(False))
        decide = _ELEMENT_CONDITIONS[condition]
        missing_passes = self._missing_passes

        def apply(data: Any) -> bool:
            value = read(data)
            if value is MISSING and missing_passes:
                return True
            if not isinstance(value, list):
                return condition == "NoElement"
            return decide(sum(map(matches, value)), len(value))

        return apply


def _operand(condition: str, expression: dict[str, Any], where: str) -> tuple[Test, Any, bool]:
    if condition in _UNARY_CONDITIONS:
        _known_keys(expression, ("Condition",), where)
        test, inverse = _UNARY_CONDITIONS[condition]
        return test, None, inverse
    if condition in _VALUE_CONDITIONS:
        _known_keys(expression, ("Condition", "Value"), where)
        test, inverse = _VALUE_CONDITIONS[condition]
        if "Value" not in expression:
            raise ExpressionError(where, f"{condition} needs a Value")
        return test, expression["Value"], inverse
    if condition in _LIST_CONDITIONS:
        _known_keys(expression, ("Condition", "Values"), where)
        values = expression.get("Values")
        if not isinstance(values, list):
            raise ExpressionError(where, f"{condition} needs a list of Values")
        return _is_in, values, _LIST_CONDITIONS[condition]
    _known_keys(expression, ("Condition", "Value", "Values"), where)
    test, parse, inverse = _NETWORK_CONDITIONS[condition]
    values = expression.get("Values", [expression["Value"]] if "Value" in expression else None)
    parsed = [parse(value) for value in values] if isinstance(values, list) else []
    if not parsed or None in parsed:
        wanted = "a CIDR range" if parse is _network else "an IP address"
        raise ExpressionError(where, f"{condition} needs {wanted} as Value, or a list of Values")
    return test, parsed, inverse


def _is_in(value: Any, operand: list[Any]) -> bool:
    return any(_same(value, item) for item in operand)


def key_reader(expression: Any, where: str, optional: bool = False) -> Callable[[Any], Any]:
    """A function from data to the value of `Key`, `DeepKey` or `KeyPath`, or MISSING.

    With `optional`, an expression without a key means the data itself: a scalar element of a list.
    """
    if not isinstance(expression, dict):
        raise ExpressionError(where, f"a Key, DeepKey or KeyPath is needed, not {expression!r}")
    given = [name for name in _KEY_SPECIFIERS if name in expression]
    if len(given) > 1:
        raise ExpressionError(where, f"only one of {', '.join(given)} may be given")
    if not given:
        if not optional:
            raise ExpressionError(where, "a Key, DeepKey or KeyPath is needed")
        return lambda data: data
    wanted = expression[given[0]]
    try:
        if given[0] == "KeyPath":
            path = Path.parse(wanted)
        elif given[0] == "DeepKey":
            path = Path.of_keys(wanted if isinstance(wanted, list) else [wanted])
        else:
            path = Path.of_keys([wanted])
    except PathError as exc:
        raise ExpressionError(where, str(exc)) from None
    return lambda data: path.value(data, MISSING)


def _known_keys(expression: dict[str, Any], known: tuple[str, ...], where: str, keys: bool = True) -> None:
    allowed = {*known, *(_KEY_SPECIFIERS if keys else ())}
    unknown = sorted(str(key) for key in expression if key not in allowed)
    if unknown:
        raise ExpressionError(where, f"unexpected {', '.join(unknown)}")


# ---- the alert fields of simple detections

_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
UNKNOWN = "<unknown>"


def compile_title(template: Any) -> Callable[[Any], str]:
    """`AlertTitle`: `{key.path}` is replaced by the value, `<unknown>` when there is none."""
    if not isinstance(template, str):
        raise ExpressionError("AlertTitle", "a string is needed")
    paths: dict[str, Path] = {}
    for name in _PLACEHOLDER.findall(template):
        try:
            paths[name] = Path.parse(name)
        except PathError as exc:
            raise ExpressionError("AlertTitle", str(exc)) from None
    return lambda data: _PLACEHOLDER.sub(lambda match: _shown(paths[match[1]].value(data)), template)


def compile_severities(entries: Any) -> Callable[[Any], str]:
    """`DynamicSeverities`: the first whose conditions match decides, else the static severity."""
    cases = []
    for index, entry in enumerate(entries):
        where = f"DynamicSeverities[{index}]"
        if not isinstance(entry, dict) or set(entry) != {"ChangeTo", "Conditions"}:
            raise ExpressionError(where, "ChangeTo and Conditions are needed")
        severity = str(entry["ChangeTo"]).upper()
        if severity not in ("INFO", "LOW", "MEDIUM", "HIGH", "CRITICAL"):
            raise ExpressionError(where, f"unknown severity {entry['ChangeTo']!r}")
        cases.append((severity, compile_detection(entry["Conditions"], f"{where}.Conditions")))
    return lambda data: next((severity for severity, matches in cases if matches(data)), "DEFAULT")


def compile_context(entries: Any) -> Callable[[Any], dict[str, Any]]:
    """`AlertContext`: values of the event under names of their own; null when the event has none."""
    readers = {}
    for index, entry in enumerate(entries):
        where = f"AlertContext[{index}]"
        if not isinstance(entry, dict) or set(entry) != {"KeyName", "KeyValue"} or not isinstance(entry["KeyName"], str):
            raise ExpressionError(where, "KeyName and KeyValue are needed")
        readers[entry["KeyName"]] = key_reader(entry["KeyValue"], f"{where}.KeyValue")

    def context(data: Any) -> dict[str, Any]:
        values = {name: read(data) for name, read in readers.items()}
        return {name: None if value is MISSING else value for name, value in values.items()}

    return context


def compile_group(entries: Any) -> Callable[[Any], str]:
    """`GroupBy`: the dedup string, the value of one key or the JSON list of several."""
    readers = [key_reader({"KeyPath": entry} if isinstance(entry, str) else entry, f"GroupBy[{index}]")
               for index, entry in enumerate(entries)]

    def group(data: Any) -> str:
        shown = [_shown(read(data)) for read in readers]
        return shown[0] if len(shown) == 1 else json.dumps(shown, ensure_ascii=False)

    return group


def _shown(value: Any) -> str:
    if value is None or value is MISSING:
        return UNKNOWN
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)

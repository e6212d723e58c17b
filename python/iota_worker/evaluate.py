"""Runs the contract functions of one rule on one event and makes the match an alert is built from.
Must not know batches, frames or expected test results. Every fall-back of the contract is here."""
from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Callable

from . import errors, nesting
from .events import thaw
from .load import SEVERITIES, Rule

TEXT_LIMIT = 1_000
TRUNCATED = "... (truncated)"
CONTEXT_LIMIT = 204_800
# A record has at most 256 levels, and a context may wrap one; whoever reads alerts has limits, too.
CONTEXT_NESTING_LIMIT = 300
DESTINATIONS_LIMIT = 10
TOO_DEEP = f"alert_context is nested more than {CONTEXT_NESTING_LIMIT} levels deep"

FAILED = object()


def _json_default(value: Any) -> Any:
    plain = thaw(value)
    if plain is value:
        raise TypeError(f"{errors.type_name(value)} cannot be written as JSON")
    return plain


encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_json_default).encode
encode_text: Callable[[str], str] = json.encoder.encode_basestring  # the same for a text, without the detour


def truncate(text: str) -> str:
    """Text of an alert: at most 1,000 code points."""
    return text if len(text) <= TEXT_LIMIT else text[:TEXT_LIMIT - len(TRUNCATED)] + TRUNCATED


class Evaluation:
    """One rule on one event: each function is called at most once; what failed is in `errors`."""

    def __init__(self, rule: Rule, event: Any, sources: errors.Sources) -> None:
        self.rule = rule
        self.event = event
        self.errors: dict[str, dict[str, Any]] = {}
        self._sources = sources

    def decided(self, result: Any) -> bool:
        """Whether a result of `rule` means a match; a wrong type is an error. May raise what `bool()` raises."""
        if result is True or result is False:
            return result
        if not self.rule.plain or hasattr(type(result), "__await__") or hasattr(type(result), "__next__"):
            self._wrong("rule", result, "a bool")
            return False
        return bool(result)

    def raised(self, name: str, exc: BaseException) -> None:
        self.errors[name] = errors.describe(exc, self._sources)
        if self.errors[name]["path"] is None:
            self.errors[name].update(path=self.rule.path, line=self.rule.line(name))

    def match(self) -> dict[str, str]:
        """The fields of the match as JSON texts. A mutable object of the rule is written at once, not later."""
        rule = self.rule
        fields = {"title": encode_text(title := self._title())}
        for name in ("description", "reference"):
            self._add_text(fields, name)
        fields["severity"] = encode_text(self._severity())
        self._add_text(fields, "runbook")
        if "destinations" in rule.functions:
            fields["destinations"] = encode(self._destinations())
        fields["dedup"] = encode_text(self._dedup(title))
        if "alert_context" in rule.functions:
            fields["context"] = self._context()
        if "unique" in rule.functions:
            unique = self._text("unique")
            fields["unique"] = encode(None if unique is None else truncate(unique))
        return fields

    # ---- one function each

    def _title(self) -> str:
        text = self._text("title") if "title" in self.rule.functions else None
        return truncate(text or self.rule.id)

    def _dedup(self, title: str) -> str:
        rule = self.rule
        default = title if rule.plain else f"defaultDedupString:{rule.id}"
        if "dedup" in rule.functions:
            return truncate(self._text("dedup") or default)
        return title if "title" in rule.functions else default

    def _severity(self) -> str:
        if "severity" not in self.rule.functions:
            return self.rule.severity
        text = self._text("severity")
        if text is None:
            return self.rule.severity
        severity = text.upper()
        if severity == "DEFAULT":
            return self.rule.severity
        if severity not in SEVERITIES:
            self._state("severity", "ValueError", f"severity returned {text[:100]!r}, expected one of "
                        f"{' '.join(SEVERITIES)} DEFAULT")
            return self.rule.severity
        return severity

    def _destinations(self) -> list[str] | None:
        value = self._call("destinations")
        if value is FAILED or value is None:
            return None
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            self._wrong("destinations", value, "None or a list of str")
            return None
        if len(value) > DESTINATIONS_LIMIT:
            self._state("destinations", "ValueError",
                        f"destinations returned {len(value)} names, only the first {DESTINATIONS_LIMIT} are used")
        return [truncate(str.__str__(item)) for item in value[:DESTINATIONS_LIMIT]]

    def _context(self) -> str:
        try:
            value = self.rule.functions["alert_context"](self.event)
        except BaseException as exc:
            self.raised("alert_context", exc)
            return encode({"_error": errors.safe_repr(exc)})
        if not isinstance(value, Mapping):
            self._wrong("alert_context", value, "a mapping")
            return encode({"_error": self.errors["alert_context"]["message"]})
        try:
            text = encode(value if isinstance(value, dict) else thaw(dict(value)))
        except RecursionError:
            return self._bad_context(TOO_DEEP)
        except BaseException as exc:
            self.raised("alert_context", exc)
            return encode({"_error": errors.safe_repr(exc)})
        if len(text) > CONTEXT_LIMIT:
            return self._bad_context(f"alert_context is {len(text)} characters long, the limit is {CONTEXT_LIMIT}")
        return self._bad_context(TOO_DEEP) if nesting.exceeds(text, CONTEXT_NESTING_LIMIT) else text

    def _bad_context(self, message: str) -> str:
        self._state("alert_context", "ValueError", message)
        return encode({"_error": message})

    def _add_text(self, fields: dict[str, str], name: str) -> None:
        if name in self.rule.functions:
            fields[name] = encode_text(truncate(self._text(name) or ""))

    # ---- calling

    def _call(self, name: str) -> Any:
        try:
            return self.rule.functions[name](self.event)
        except BaseException as exc:
            self.raised(name, exc)
            return FAILED

    def _text(self, name: str) -> str | None:
        value = self._call(name)
        if value is FAILED:
            return None
        if not isinstance(value, str):
            self._wrong(name, value, "str")
            return None
        return str.__str__(value)

    def _wrong(self, name: str, value: Any, expected: str) -> None:
        self._state(name, "TypeError", f"{name} returned {errors.type_name(value)}, expected {expected}")

    def _state(self, name: str, kind: str, message: str) -> None:
        self.errors[name] = errors.stated(kind, message, self.rule.path, self.rule.line(name))

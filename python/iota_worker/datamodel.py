"""Unified data model: which value of an event a field name means, by log type; and the paths that say where.
Must not know rules, records or the protocol."""
from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Callable

Step = tuple[str, Any]  # ("key", name) | ("index", n) | ("all", None) | ("descend", None)

_TOKEN = re.compile(
    r"""\.\.                                  # recursive descent
      | \.?\*                                 # every child
      | \[\s*(?:(?P<index>-?\d+)|(?P<all>\*)|'(?P<single>[^']*)'|"(?P<double>[^"]*)")\s*\]
      | \.?(?P<key>[^.\[\]*'"\s?()$][^.\[\]'"?()]*)
    """,
    re.VERBOSE,
)


class PathError(ValueError):
    """A path that is not of the supported subset."""


class Path:
    """A compiled path: dotted keys, `[n]`, `[*]`, `['key']` and recursive `..`; a leading `$` is optional."""

    __slots__ = ("definite", "steps", "text")

    def __init__(self, text: str, steps: tuple[Step, ...], definite: bool) -> None:
        self.text = text
        self.steps = steps
        self.definite = definite

    @classmethod
    def parse(cls, text: Any) -> Path:
        if not isinstance(text, str) or not text.strip():
            raise PathError(f"a path must be a non-empty string, not {text!r}")
        rest = text.strip()
        position = 1 if rest.startswith("$") else 0
        steps: list[Step] = []
        while position < len(rest):
            match = _TOKEN.match(rest, position)
            if match is None:
                raise PathError(f"path {text!r}: cannot read {rest[position:]!r}")
            steps.append(_step(match))
            position = match.end()
        if not steps or steps[-1][0] == "descend":
            raise PathError(f"path {text!r} names no field")
        return cls(text, tuple(steps), all(kind in ("key", "index") for kind, _ in steps))

    @classmethod
    def of_keys(cls, keys: list[Any]) -> Path:
        """The path of a list of keys and indices."""
        if not keys or not all(isinstance(key, (str, int)) and not isinstance(key, bool) for key in keys):
            raise PathError(f"a list of keys must hold strings and numbers, not {keys!r}")
        steps = tuple(("index" if isinstance(key, int) else "key", key) for key in keys)
        return cls(".".join(map(str, keys)), steps, True)

    def find(self, data: Any) -> Iterator[Any]:
        """Every value the path leads to, in document order."""
        return _find(data, self.steps, 0)

    def value(self, data: Any, missing: Any = None) -> Any:
        """The value of a definite path; of any other the list of all values. `missing` when there is none."""
        if self.definite:
            return next(self.find(data), missing)
        return list(self.find(data)) or missing


def _step(match: re.Match[str]) -> Step:
    token = match.group()
    if token == "..":
        return "descend", None
    if token in ("*", ".*") or match["all"]:
        return "all", None
    if match["index"] is not None:
        return "index", int(match["index"])
    for group in ("single", "double", "key"):
        if match[group] is not None:
            return "key", match[group].strip() if group == "key" else match[group]
    raise PathError(f"cannot read {token!r}")


def _children(data: Any) -> Any:
    if isinstance(data, dict):
        return data.values()
    return data if isinstance(data, list) else ()


def _find(data: Any, steps: tuple[Step, ...], at: int) -> Iterator[Any]:
    if at == len(steps):
        yield data
        return
    kind, wanted = steps[at]
    if kind == "key":
        if isinstance(data, dict):
            try:
                below = data[wanted]
            except KeyError:
                return
            yield from _find(below, steps, at + 1)
    elif kind == "index":
        if isinstance(data, list) and -len(data) <= wanted < len(data):
            yield from _find(data[wanted], steps, at + 1)
    elif kind == "all":
        for child in _children(data):
            yield from _find(child, steps, at + 1)
    else:
        yield from _find(data, steps, at + 1)
        for child in _children(data):
            yield from _find(child, steps, at)


Source = Callable[[Any, Any], Any]  # (event, its raw data) -> value


class DataModels:
    """The data models of a pack by log type: for each field name how to get it and, if so defined, its path."""

    def __init__(self) -> None:
        self.sources: dict[str, dict[str, Source]] = {}
        self.paths: dict[str, dict[str, str]] = {}

    def add_path(self, log_types: list[str], name: str, text: str) -> None:
        """Maps a field to a path. Raises PathError."""
        path = Path.parse(text)
        for log_type in log_types:
            self.sources.setdefault(log_type, {})[name] = lambda event, data: _read(path, event, data)
            self.paths.setdefault(log_type, {})[name] = text

    def add_method(self, log_types: list[str], name: str, method: Callable[[Any], Any]) -> None:
        for log_type in log_types:
            self.sources.setdefault(log_type, {})[name] = lambda event, data: method(event)


def _read(path: Path, event: Any, data: Any) -> Any:
    """Containers come out as the event itself hands them out, so that nobody can change the record."""
    values = list(path.find(data))
    if not path.definite and len(values) != 1:
        return event.wrap(values) if values else None
    return event.wrap(values[0]) if values else None

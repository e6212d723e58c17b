"""Reading nested values, the same for both dialects: `deep_get` and `deep_walk`.
Must not know what an event is; works on mappings and lists."""
from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def deep_get(event: Any, keys: tuple[Any, ...], default: Any) -> Any:
    found = event
    for key in keys:
        if not isinstance(found, Mapping):
            return default
        found = found.get(key)
        if found is None:
            return default
    return found


def _walk(value: Any, keys: tuple[Any, ...]) -> Iterator[Any]:
    if isinstance(value, list):
        if keys:
            for item in value:
                yield from _walk(item, keys)
        else:
            yield value
    elif not keys:
        if value is not None:
            yield value
    elif isinstance(value, dict):
        try:
            below = value[keys[0]]
        except KeyError:
            return
        yield from _walk(below, keys[1:])


def deep_walk(data: Any, keys: tuple[Any, ...], default: Any, return_val: str) -> Any:
    if return_val not in ("all", "first", "last"):
        raise ValueError(f"return_val must be all, first or last, not {return_val!r}")
    found: list[Any] = []
    for value in _walk(data, keys):
        if not any(type(value) is type(other) and value == other for other in found):
            found.append(value)
    if not found:
        return default
    if return_val == "first":
        return found[0]
    if return_val == "last":
        return found[-1]
    return found[0] if len(found) == 1 else found

"""What both dialects share of being read-only, and the way back to plain dicts and lists.
Must not know records."""
from __future__ import annotations

from typing import Any, NoReturn

READ_ONLY = "events and what config() and lookup() give are read-only; .copy() gives a copy that can be changed"


class View:
    """A read-only view of the dict or list `_data`."""

    __slots__ = ()

    _data: Any


def refuse(self: object, *_: object, **__: object) -> NoReturn:
    raise TypeError(READ_ONLY)


def thaw(value: Any) -> Any:
    """A mutable deep copy made of plain dicts and lists."""
    if isinstance(value, View):
        value = value._data
    if isinstance(value, dict):
        return {key: thaw(item) for key, item in value.items()}
    if isinstance(value, list):
        return [thaw(item) for item in value]
    return value

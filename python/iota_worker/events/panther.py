"""The panther dialect: an event is a read-only view of the record with keys in any case.
Must not know the other dialect."""
from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Callable

from .frozen import View, refuse, thaw
from .surroundings import NoPack, Questions, Surroundings
from .walking import deep_get, deep_walk


def _wrap(value: Any) -> Any:
    kind = value.__class__
    if kind is dict:
        return CaseInsensitiveMapping(value)
    if kind is list:
        return ImmutableList(value)
    return value


class CaseInsensitiveMapping(View, Mapping):
    """A read-only view of a dict: exact key first, then case-insensitive; nested values are wrapped when read."""

    __slots__ = ("_data", "_folded", "_wrapped")

    def __init__(self, data: Mapping[Any, Any] | None = None) -> None:
        self._data = data if type(data) is dict else thaw(dict(data or {}))
        self._folded: dict[str, Any] | None = None
        self._wrapped: dict[Any, Any] = {}

    def __getitem__(self, key: Any) -> Any:
        try:
            value = self._data[key]
        except KeyError:
            key = self._other_case(key)
            value = self._data[key]
        kind = value.__class__
        if kind is dict or kind is list:
            wrapped = self._wrapped.get(key)
            if wrapped is None:
                wrapped = self._wrapped[key] = _wrap(value)
            return wrapped
        return value

    def get(self, key: Any, default: Any = None) -> Any:
        try:
            return self[key]
        except KeyError:
            return default

    def _other_case(self, key: Any) -> Any:
        """The stored key that differs only in case; the first in document order. Built on the first miss only."""
        if not isinstance(key, str):
            raise KeyError(key)
        if self._folded is None:
            folded: dict[str, Any] = {}
            for stored in self._data:
                if isinstance(stored, str):
                    folded.setdefault(stored.lower(), stored)
            self._folded = folded
        try:
            return self._folded[key.lower()]
        except KeyError:
            raise KeyError(key) from None

    def __contains__(self, key: Any) -> bool:
        if key in self._data:
            return True
        try:
            self._other_case(key)
        except KeyError:
            return False
        return True

    def __iter__(self) -> Iterator[Any]:
        return iter(self._data)

    def __len__(self) -> int:
        return len(self._data)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, CaseInsensitiveMapping):
            return self._data == other._data
        if isinstance(other, Mapping):
            return self._data == thaw(dict(other))
        return NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return repr(self._data)

    def __or__(self, other: Mapping[Any, Any]) -> dict[Any, Any]:
        return {**thaw(self), **other} if isinstance(other, Mapping) else NotImplemented

    def __ror__(self, other: Mapping[Any, Any]) -> dict[Any, Any]:
        return {**other, **thaw(self)} if isinstance(other, Mapping) else NotImplemented

    def deep_get(self, *keys: Any, default: Any = None) -> Any:
        return deep_get(self, keys, default)

    def deep_walk(self, *keys: Any, default: Any = None, return_val: str = "all") -> Any:
        """Raw containers are handed out as copies: what a rule does to them is its own business."""
        return thaw(deep_walk(self._data, keys, default, return_val))

    def to_dict(self) -> dict[Any, Any]:
        return thaw(self._data)

    copy = __copy__ = to_dict

    def __deepcopy__(self, memo: object) -> dict[Any, Any]:
        return thaw(self._data)

    def __reduce_ex__(self, protocol: object) -> Any:
        return dict, (thaw(self._data),)

    __setitem__ = __delitem__ = __ior__ = refuse
    pop = popitem = clear = update = setdefault = refuse


class ImmutableList(View, Sequence):
    """A read-only view of a list; compares equal to lists and tuples, slices are tuples."""

    __slots__ = ("_data",)

    def __init__(self, data: Iterable[Any] = ()) -> None:
        self._data = data if type(data) is list else thaw(list(data))

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return tuple(_wrap(item) for item in self._data[index])
        return _wrap(self._data[index])

    def __iter__(self) -> Iterator[Any]:
        return map(_wrap, self._data)

    def __len__(self) -> int:
        return len(self._data)

    def __contains__(self, value: Any) -> bool:
        return value in self._data

    def __eq__(self, other: object) -> bool:
        if isinstance(other, ImmutableList):
            return self._data == other._data
        if isinstance(other, (list, tuple)):
            return self._data == list(other)
        return NotImplemented

    def __lt__(self, other: Any) -> bool:
        return self._data < list(other)

    def __gt__(self, other: Any) -> bool:
        return self._data > list(other)

    __hash__ = None  # type: ignore[assignment]

    def __add__(self, other: Any) -> list[Any]:
        return thaw(self._data) + list(other) if isinstance(other, Sequence) else NotImplemented

    def __radd__(self, other: Any) -> list[Any]:
        return list(other) + thaw(self._data) if isinstance(other, Sequence) else NotImplemented

    def __repr__(self) -> str:
        return repr(self._data)

    def copy(self) -> list[Any]:
        return thaw(self._data)

    __copy__ = copy

    def __deepcopy__(self, memo: object) -> list[Any]:
        return thaw(self._data)

    def __reduce_ex__(self, protocol: object) -> Any:
        return list, (thaw(self._data),)

    __setitem__ = __delitem__ = __iadd__ = __imul__ = refuse
    append = extend = insert = remove = pop = clear = sort = reverse = refuse


class PantherEvent(Questions, CaseInsensitiveMapping):
    """A whole record in the panther dialect."""

    __slots__ = ("_surroundings",)

    def __init__(self, data: Mapping[Any, Any] | None = None, surroundings: Surroundings | None = None) -> None:
        CaseInsensitiveMapping.__init__(self, data)
        self._surroundings = surroundings if hasattr(surroundings, "udm_source") else NoPack()

    def _raw(self) -> dict[Any, Any]:
        return self._data

    def wrap(self, value: Any) -> Any:
        """A value found inside this event, as the event hands it out."""
        return _wrap(value)


decode_panther: Callable[[str], dict[str, Any]] = json.JSONDecoder().decode


def panther_event(record: dict[str, Any], supplied: dict[str, str], surroundings: Surroundings) -> PantherEvent:
    data = record.copy()
    for key, value in supplied.items():
        data.setdefault(key, value)
    return PantherEvent(data, surroundings)


def _json_default(original: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    def default(encoder: Any, value: Any) -> Any:
        if isinstance(value, View):
            return value._data
        return original(encoder, value)

    return default


def teach_json() -> None:
    """Makes `json.dumps(event)` work for the views of the panther dialect, as it does for plain events."""
    json.JSONEncoder.default = _json_default(json.JSONEncoder.default)  # type: ignore[method-assign]

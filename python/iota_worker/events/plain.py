"""The plain dialect: an event is a read-only dict, decoded once per record and shared by all rules of the record.
Must not know the other dialect."""
from __future__ import annotations

import json
from typing import Any, Callable

from .frozen import refuse, thaw
from .supplied import SUPPLIED
from .surroundings import Questions, Surroundings
from .walking import deep_get, deep_walk


class EventDict(dict):
    """A read-only dict. `get` gives the default for a stored null too: CloudTrail is full of nulls."""

    __slots__ = ()

    def get(self, key: Any, default: Any = None, _get: Callable[..., Any] = dict.get) -> Any:
        value = _get(self, key)
        return default if value is None else value

    def deep_get(self, *keys: Any, default: Any = None) -> Any:
        return deep_get(self, keys, default)

    def deep_walk(self, *keys: Any, default: Any = None, return_val: str = "all") -> Any:
        return deep_walk(self, keys, default, return_val)

    def to_dict(self) -> dict[Any, Any]:
        return thaw(self)

    copy = __copy__ = to_dict

    def __deepcopy__(self, memo: object) -> dict[Any, Any]:
        return thaw(self)

    def __reduce_ex__(self, protocol: object) -> Any:
        return dict, (thaw(self),)

    __setitem__ = __delitem__ = __ior__ = refuse
    pop = popitem = clear = update = setdefault = refuse


class EventList(list):
    """A read-only list."""

    __slots__ = ()

    def copy(self) -> list[Any]:
        return thaw(self)

    __copy__ = copy

    def __deepcopy__(self, memo: object) -> list[Any]:
        return thaw(self)

    def __reduce_ex__(self, protocol: object) -> Any:
        return list, (thaw(self),)

    __setitem__ = __delitem__ = __iadd__ = __imul__ = refuse
    append = extend = insert = remove = pop = clear = sort = reverse = refuse


_store = dict.__setitem__


def _freeze_lists(value: EventDict) -> None:
    for key, item in value.items():
        kind = item.__class__
        if kind is str:  # most are, and the first comparison is the only one
            continue
        if kind is EventDict:
            if item:
                _freeze_lists(item)
        elif kind is list:
            _store(value, key, _frozen_list(item))


def _frozen_list(items: list[Any]) -> EventList:
    for index, item in enumerate(items):
        kind = item.__class__
        if kind is EventDict:
            _freeze_lists(item)
        elif kind is list:
            items[index] = _frozen_list(item)
    return EventList(items)


def freeze(value: Any) -> Any:
    """A read-only copy of JSON data, as nested values of plain events are."""
    if isinstance(value, dict):
        return EventDict({key: freeze(item) for key, item in value.items()})
    if isinstance(value, list):
        return EventList([freeze(item) for item in value])
    return value


class PlainEvent(Questions, EventDict):
    """A whole record in the plain dialect.

    `get` is the bound method of a second dict without the nulls, with `p_log_type`, `p_event_time` and
    `p_parse_time`: a lookup in C instead of a Python call, and rules do little else.
    """

    __slots__ = ("get", "_surroundings")

    def __missing__(self, key: Any) -> Any:
        if key in SUPPLIED:
            return self.get(key)
        raise KeyError(key)

    def _raw(self) -> EventDict:
        return self

    def wrap(self, value: Any) -> Any:
        """A value found inside this event, as the event hands it out."""
        return value

    __setattr__ = __delattr__ = refuse


_set_get = PlainEvent.get.__set__  # type: ignore[attr-defined]
_set_surroundings = PlainEvent._surroundings.__set__  # type: ignore[attr-defined]
_scan = json.JSONDecoder(object_hook=EventDict).scan_once  # the engine hands over one value, without space around it


def decode_plain(text: str) -> EventDict:
    """One record as nested read-only dicts and lists."""
    record, _ = _scan(text, 0)
    if "[" in text:  # most records hold no list: the walk is a quarter of the cost of decoding
        _freeze_lists(record)
    return record


def plain_event(record: EventDict, supplied: dict[str, str], surroundings: Surroundings) -> PlainEvent:
    event = PlainEvent(record)
    present = {**supplied, **record}
    if None in record.values():
        for key, value in record.items():
            if value is None:
                del present[key]
    _set_get(event, present.get)
    _set_surroundings(event, surroundings)
    return event

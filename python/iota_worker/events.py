"""The event objects rules see: read-only, decoded once per record and shared by all rules of the record.
Must not know rules, the protocol or data model files; `Surroundings` carries what an event asks the pack for."""
from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timezone
from typing import Any, Callable, NoReturn, Protocol

READ_ONLY = "the event is read-only; use event.copy() for one that can be changed"


class Surroundings(Protocol):
    """What an event can ask of the pack it is evaluated in."""

    def lookup(self, table: str, key: Any) -> Any: ...
    def udm_source(self, log_type: str, name: str) -> Callable[[Any, Any], Any] | None: ...
    def udm_path(self, log_type: str, name: str) -> str | None: ...


class NoPack:
    """The surroundings of an event that was made by hand, outside any pack."""

    def lookup(self, table: str, key: Any) -> Any:
        raise LookupError(f"lookup table {table!r} is not declared in pack.yaml")

    def udm_source(self, log_type: str, name: str) -> None:
        return None

    def udm_path(self, log_type: str, name: str) -> None:
        return None


def _refuse(self: object, *_: object, **__: object) -> NoReturn:
    raise TypeError(READ_ONLY)


def thaw(value: Any) -> Any:
    """A mutable deep copy made of plain dicts and lists."""
    if isinstance(value, (CaseInsensitiveMapping, ImmutableList)):
        value = value._data
    if isinstance(value, dict):
        return {key: thaw(item) for key, item in value.items()}
    if isinstance(value, list):
        return [thaw(item) for item in value]
    return value


# ---- reading nested values, the same for both dialects


def _deep_get(event: Any, keys: tuple[Any, ...], default: Any) -> Any:
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


def _deep_walk(data: Any, keys: tuple[Any, ...], default: Any, return_val: str) -> Any:
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


class _Questions:
    """The methods of a whole event that ask its surroundings. Needs `_surroundings`, `get` and `deep_get`."""

    __slots__ = ()

    def udm(self, *names: str, default: Any = None) -> Any:
        """The value of a unified data model field: data model, then `p_udm`, then the event itself."""
        if not names:
            raise TypeError("udm() needs the name of a field")
        if len(names) == 1:
            source = self._surroundings.udm_source(self.get("p_log_type"), names[0])
            if source is not None:
                value = source(self, self._raw())
                return default if value is None else value
        value = self.deep_get("p_udm", *names)
        return value if value is not None else self.deep_get(*names, default=default)

    def udm_path(self, name: str) -> str | None:
        """Where `udm(name)` reads: a path of the data model, `p_udm.name`, or None."""
        path = self._surroundings.udm_path(self.get("p_log_type"), name)
        if path is None and self.deep_get("p_udm", name) is not None:
            return f"p_udm.{name}"
        return path

    def lookup(self, table: str, key: Any) -> Any:
        """The row of a lookup table of `pack.yaml`, or None."""
        return self._surroundings.lookup(table, key)

    def event_time_epoch(self) -> float | None:
        """The event time in seconds since 1970, or None."""
        moment = read_time(self.get("p_event_time"))
        return None if moment is None else moment.timestamp()


# ---- plain dialect


class EventDict(dict):
    """A read-only dict. `get` gives the default for a stored null too: CloudTrail is full of nulls."""

    __slots__ = ()

    def get(self, key: Any, default: Any = None, _get: Callable[..., Any] = dict.get) -> Any:
        value = _get(self, key)
        return default if value is None else value

    def deep_get(self, *keys: Any, default: Any = None) -> Any:
        return _deep_get(self, keys, default)

    def deep_walk(self, *keys: Any, default: Any = None, return_val: str = "all") -> Any:
        return _deep_walk(self, keys, default, return_val)

    def to_dict(self) -> dict[Any, Any]:
        return thaw(self)

    copy = __copy__ = to_dict

    def __deepcopy__(self, memo: object) -> dict[Any, Any]:
        return thaw(self)

    def __reduce_ex__(self, protocol: object) -> Any:
        return dict, (thaw(self),)

    __setitem__ = __delitem__ = __ior__ = _refuse
    pop = popitem = clear = update = setdefault = _refuse


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

    __setitem__ = __delitem__ = __iadd__ = __imul__ = _refuse
    append = extend = insert = remove = pop = clear = sort = reverse = _refuse


_store = dict.__setitem__


def _freeze_lists(value: EventDict) -> None:
    for key, item in value.items():
        kind = item.__class__
        if kind is EventDict:
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


class PlainEvent(_Questions, EventDict):
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

    __setattr__ = __delattr__ = _refuse


_set_get = PlainEvent.get.__set__  # type: ignore[attr-defined]
_set_surroundings = PlainEvent._surroundings.__set__  # type: ignore[attr-defined]
_decode_plain = json.JSONDecoder(object_hook=EventDict).decode


def decode_plain(text: str) -> EventDict:
    """One record as nested read-only dicts and lists."""
    record = _decode_plain(text)
    if "[" in text:  # most records hold no list: the walk is a quarter of the cost of decoding
        _freeze_lists(record)
    return record


def plain_event(record: EventDict, supplied: dict[str, str], surroundings: Surroundings) -> PlainEvent:
    event = PlainEvent(record)
    present = {**supplied, **record}
    for key, value in record.items():
        if value is None:
            del present[key]
    _set_get(event, present.get)
    _set_surroundings(event, surroundings)
    return event


# ---- panther dialect


def _wrap(value: Any) -> Any:
    kind = value.__class__
    if kind is dict:
        return CaseInsensitiveMapping(value)
    if kind is list:
        return ImmutableList(value)
    return value


class CaseInsensitiveMapping(Mapping):
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
        return _deep_get(self, keys, default)

    def deep_walk(self, *keys: Any, default: Any = None, return_val: str = "all") -> Any:
        """Raw containers are handed out as copies: what a rule does to them is its own business."""
        return thaw(_deep_walk(self._data, keys, default, return_val))

    def to_dict(self) -> dict[Any, Any]:
        return thaw(self._data)

    copy = __copy__ = to_dict

    def __deepcopy__(self, memo: object) -> dict[Any, Any]:
        return thaw(self._data)

    def __reduce_ex__(self, protocol: object) -> Any:
        return dict, (thaw(self._data),)

    __setitem__ = __delitem__ = __ior__ = _refuse
    pop = popitem = clear = update = setdefault = _refuse


class ImmutableList(Sequence):
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

    __setitem__ = __delitem__ = __iadd__ = __imul__ = _refuse
    append = extend = insert = remove = pop = clear = sort = reverse = _refuse


class PantherEvent(_Questions, CaseInsensitiveMapping):
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
        if isinstance(value, (CaseInsensitiveMapping, ImmutableList)):
            return value._data
        return original(encoder, value)

    return default


def teach_json() -> None:
    """Makes `json.dumps(event)` work for the views of the panther dialect, as it does for plain events."""
    json.JSONEncoder.default = _json_default(json.JSONEncoder.default)  # type: ignore[method-assign]


# ---- the fields supplied to rules

SUPPLIED = frozenset({"p_log_type", "p_event_time", "p_parse_time"})


def read_time(text: Any) -> datetime | None:
    if not isinstance(text, str):
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment.replace(tzinfo=timezone.utc) if moment.tzinfo is None else moment


def format_time(moment: datetime) -> str:
    """`2024-01-19 13:47:18.279921000`, UTC: the form of `p_event_time`."""
    return moment.astimezone(timezone.utc).strftime("%Y-%m-%d %H:%M:%S.%f") + "000"


def supplied_fields(record: Mapping[str, Any], log_type: str, parse_time: str) -> dict[str, str]:
    """`p_log_type`, `p_event_time` (the parse time when the record has no readable time) and `p_parse_time`."""
    text = record.get("eventTime")
    if isinstance(text, str) and len(text) == 20 and text[10] == "T" and text[19] == "Z" and read_time(text):
        event_time = f"{text[:10]} {text[11:19]}.000000000"  # what CloudTrail always writes
    else:
        moment = read_time(text)
        event_time = parse_time if moment is None else format_time(moment)
    return {"p_log_type": sys.intern(log_type), "p_event_time": event_time, "p_parse_time": parse_time}

"""`panther_detection_helpers.caching`: counters, string sets and dictionaries kept between records.
Must not know the store: every call goes to the `State` of the worker."""
from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, NoReturn

from .. import nesting
from ..state import State

# The engine reads state with serde_json, which stops at 127 levels, some of them the protocol's.
NESTING_LIMIT = 100

_state: State


def use(state: State) -> None:
    global _state
    _state = state


def get_counter(key: str, force_ttl_check: bool = False) -> int:
    """The value of a counter; 0 when there is none. An expired value is never returned, forced or not."""
    return _state.read("counter", key)


def increment_counter(key: str, val: int = 1, epoch_seconds: int | None = None) -> int:
    """Adds to a counter and returns its new value."""
    if isinstance(val, bool) or not isinstance(val, int):
        raise TypeError(f"a counter is incremented by an int, not {type(val).__name__}")
    value = _state.read("counter", key) + val
    _state.write("counter", key, value, {"op": "increment", "by": val}, epoch_seconds)
    return value


def reset_counter(key: str) -> None:
    _state.reset("counter", key)


def set_key_expiration(key: str, epoch_seconds: int | None) -> None:
    """When a key that is stored ends: seconds since 1970, or up to seven days from now; 0 means never."""
    if epoch_seconds is not None:
        _state.expire(key, epoch_seconds)


def get_string_set(key: str, force_ttl_check: bool = False) -> set[str]:
    """A string set; empty when there is none. The result is the caller's own copy."""
    return set(_state.read("string_set", key))


def put_string_set(key: str, val: Iterable[str], epoch_seconds: int | None = None) -> None:
    """Overwrites a string set."""
    _write_set(key, _strings(val), "put", _strings(val), epoch_seconds)


def add_to_string_set(key: str, val: str | Iterable[str], epoch_seconds: int | None = None) -> set[str]:
    """Adds one string or several and returns the new set."""
    added = _strings(val)
    new = _state.read("string_set", key) | added
    if added:
        _write_set(key, new, "add", added, epoch_seconds)
    return set(new)


def remove_from_string_set(key: str, val: str | Iterable[str], epoch_seconds: int | None = None) -> set[str]:
    """Removes one string or several and returns the new set."""
    removed = _strings(val)
    new = _state.read("string_set", key) - removed
    if removed:
        _write_set(key, new, "remove", removed, epoch_seconds)
    return set(new)


def reset_string_set(key: str) -> None:
    _state.reset("string_set", key)


def put_dictionary(key: str, val: Mapping[str, Any], epoch_seconds: int | None = None) -> None:
    """Overwrites a dictionary; it must be JSON, nested at most 100 levels deep."""
    if not isinstance(val, Mapping):
        raise TypeError(f"put_dictionary needs a dictionary, not {type(val).__name__}")
    too_deep = f"put_dictionary: the value is nested more than {NESTING_LIMIT} levels deep"
    try:
        text = json.dumps(dict(val), allow_nan=False)
    except TypeError as exc:
        raise ValueError(f"put_dictionary: the value cannot be written as JSON: {exc}") from exc
    except RecursionError:
        raise ValueError(too_deep) from None
    if nesting.exceeds(text, NESTING_LIMIT):
        raise ValueError(too_deep)
    _state.write("dictionary", key, text, {"op": "put", "value": json.loads(text)}, epoch_seconds)


def get_dictionary(key: str, force_ttl_check: bool = False) -> dict[str, Any]:
    """A dictionary; empty when there is none. The result is the caller's own copy."""
    return json.loads(_state.read("dictionary", key))


def evaluate_threshold(key: str, threshold: int = 10, expiry_seconds: int = 3600) -> bool:
    """Counts a call; True, and back to zero, when `threshold` calls came within `expiry_seconds` of the first."""
    count = increment_counter(key)
    if count == 1:
        set_key_expiration(key, int(_state.now()) + expiry_seconds)
    if count < threshold:
        return False
    reset_counter(key)
    return True


def check_account_age(key: Any) -> bool:
    """Whether a rule has stored a string set under this user or account id."""
    return isinstance(key, str) and key != "" and bool(get_string_set(key))


def kv_table() -> NoReturn:
    raise RuntimeError("there is no DynamoDB table behind iota's stateful helpers: use their functions")


def _strings(val: str | Iterable[str]) -> frozenset[str]:
    values = frozenset([val] if isinstance(val, str) else val)
    for value in values:
        if not isinstance(value, str):
            raise TypeError(f"a string set holds strings, not {type(value).__name__}")
    return values


def _write_set(key: str, new: frozenset[str], op: str, values: frozenset[str], lifetime: int | None) -> None:
    _state.write("string_set", key, new, {"op": op, "values": sorted(values)}, lifetime)

"""Counters, string sets and dictionaries that rules keep in iota's store: operations buffered per pair.
Must not know rules or records: a pair is a number, and committed values come from whoever answers `fetch`."""
from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import Any, Callable

RELATIVE_LIMIT = 604_801  # a lifetime up to seven days counts from now, a larger number is a time (as in Panther)
KINDS = ("counter", "string_set", "dictionary")
EMPTY: dict[str, Any] = {"counter": 0, "string_set": frozenset(), "dictionary": "{}"}


@dataclass(frozen=True)
class Entry:
    """A value (an int, a frozenset of strings, the JSON text of a dictionary) and when it ends, in seconds."""

    value: Any
    expires_at: float | None = None


Slot = tuple[str, str]  # (kind, key)


class State:
    """What the stateful helpers work on. `pair` tells the running pair, 0 when no rule runs.

    Closed until `open`: the top level of a module runs for no record.
    """

    def __init__(self, fetch: Callable[[str, str], dict[str, Any]], pair: Callable[[], int],
                 now: Callable[[], float] = time.time) -> None:
        self._fetch = fetch
        self._pair = pair
        self.now = now
        self._committed: dict[Slot, Entry] = {}  # as fetched
        self._earlier: dict[Slot, Entry] = {}  # after the pairs of this batch that are done
        self._current: dict[Slot, Entry] = {}  # after the operations of the running pair
        self._ops: dict[int, list[dict[str, Any]]] = {}
        self._running = 0
        self._opened = False

    def open(self) -> None:
        self._opened = True

    # ---- around a batch

    def discard(self, pair: int) -> None:
        """A pair that raised has no operations."""
        self._ops.pop(pair, None)
        if self._running == pair:
            self._current.clear()

    def take(self) -> dict[int, list[dict[str, Any]]]:
        """The operations by pair since the last call; forgets everything read."""
        taken, self._ops = self._ops, {}
        for seen in (self._committed, self._earlier, self._current):
            seen.clear()
        self._running = 0
        return taken

    # ---- for the helpers

    def read(self, kind: str, key: str) -> Any:
        """The value, or the empty one when there is none or it has expired."""
        self._enter()
        entry = self._entry((kind, _checked_key(key)))
        if entry.expires_at is not None and entry.expires_at <= self.now():
            return EMPTY[kind]
        return entry.value

    def write(self, kind: str, key: str, value: Any, op: dict[str, Any], lifetime: Any = None) -> None:
        """Stores `value` and records `op`; a lifetime other than None is set as well."""
        slot = kind, _checked_key(key)
        self._enter()
        kept = None if op["op"] in ("put", "reset") else self._live(slot).expires_at
        self._current[slot] = Entry(value, kept)
        self._record({**op, "kind": kind, "key": key})
        if lifetime is not None:
            self._expire(slot, self.deadline(lifetime))

    def expire(self, key: str, lifetime: Any) -> None:
        """Sets when a key ends, for every kind this batch has met it as, else for all kinds."""
        _checked_key(key)
        self._enter()
        met = [kind for kind in KINDS if any((kind, key) in seen for seen in (self._committed, self._earlier,
                                                                              self._current))]
        for kind in met or KINDS:
            self._expire((kind, key), self.deadline(lifetime))

    def deadline(self, lifetime: Any) -> int | None:
        """Seconds since 1970; up to seven days counts from now; 0 means for ever."""
        seconds = int(float(lifetime))
        if seconds == 0:
            return None
        return int(self.now()) + seconds if seconds < RELATIVE_LIMIT else seconds

    # ---- inside

    def _enter(self) -> None:
        pair = self._pair()
        if not pair or not self._opened:
            raise RuntimeError("the stateful helpers work only while a rule function runs, not at import")
        if pair != self._running:
            self._earlier.update(self._current)
            self._current.clear()
            self._running = pair

    def _entry(self, slot: Slot) -> Entry:
        for seen in (self._current, self._earlier, self._committed):
            if slot in seen:
                return seen[slot]
        kind, key = slot
        answer = self._fetch(kind, key)
        value = answer.get("value")
        if value is None:
            entry = Entry(EMPTY[kind])
        else:
            entry = Entry(_decoded(kind, value), answer.get("expires_at"))
        self._committed[slot] = entry
        return entry

    def _live(self, slot: Slot) -> Entry:
        """The entry, or an empty one without an end when it has expired."""
        entry = self._entry(slot)
        if entry.expires_at is not None and entry.expires_at <= self.now():
            return Entry(EMPTY[slot[0]])
        return entry

    def _expire(self, slot: Slot, expires_at: int | None) -> None:
        self._current[slot] = Entry(self._live(slot).value, expires_at)
        self._record({"op": "set_ttl", "kind": slot[0], "key": slot[1], "expires_at": expires_at})

    def _record(self, op: dict[str, Any]) -> None:
        self._ops.setdefault(self._running, []).append(op)


def _decoded(kind: str, value: Any) -> Any:
    if kind == "counter":
        return int(value)
    return frozenset(value) if kind == "string_set" else json.dumps(value)


def _checked_key(key: Any) -> str:
    if not isinstance(key, str):
        raise TypeError(f"a key must be a string, not {type(key).__name__}")
    return key

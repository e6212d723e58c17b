"""Counters, string sets and dictionaries that rules keep in iota's store: operations buffered per pair.
Must not know rules or records: a pair is a number, and committed values come from whoever answers `fetch`."""
from __future__ import annotations

import json
import time
from typing import Any, Callable

RELATIVE_LIMIT = 604_801  # a lifetime up to seven days counts from now, a larger number is a time (as in Panther)
DEFAULT_LIFETIME = 90 * 86_400  # of what is stored without one, in seconds (as in Panther)
FUTURE_LIMIT = 600  # seconds: an event time further ahead of the clock is not believed, as in the grouping of matches
KINDS = ("counter", "string_set", "dictionary")
EMPTY: dict[str, Any] = {"counter": 0, "string_set": frozenset(), "dictionary": "{}"}

AT_IMPORT = "the stateful helpers work only while a rule function runs, not at import"
NOT_SEEN = ("the stateful helpers were reached in a way that iota does not see when it loads the rule, so nothing would "
            "be kept: name them in an import statement of the rule or of a module it imports, such as "
            "`from panther_detection_helpers.caching import get_counter`")


class Entry:
    """A value (an int, a frozenset of strings, the JSON text of a dictionary) and when it ends, in seconds."""

    __slots__ = ("expires_at", "value")

    def __init__(self, value: Any, expires_at: float | None = None) -> None:
        self.value = value
        self.expires_at = expires_at


Slot = tuple[str, str]  # (kind, key)


class State:
    """What the stateful helpers work on. `pair` tells the running pair, 0 when no rule runs.

    Closed until `begin_record`: the top level of a module runs for no record.
    """

    def __init__(self, fetch: Callable[[str, str], dict[str, Any]], pair: Callable[[], int],
                 clock: Callable[[], float] = time.time) -> None:
        self._fetch = fetch
        self._pair = pair
        self._clock = clock
        self._event_time: Callable[[], float | None] = lambda: None
        self._committed: dict[Slot, Entry | None] = {}  # as fetched; None: there is nothing
        self._earlier: dict[Slot, Entry | None] = {}  # after the pairs of this batch that are done
        self._current: dict[Slot, Entry | None] = {}  # after the operations of the running pair
        self._ops: dict[int, list[dict[str, Any]]] = {}
        self._running = 0
        self._refusal: str | None = AT_IMPORT

    # ---- around a batch

    def begin_record(self, kept: bool, event_time: Callable[[], float | None]) -> None:
        """`kept`: whether the engine keeps state for the rules that run next. `event_time`: of their record, in seconds."""
        self._refusal = None if kept else NOT_SEEN
        self._event_time = event_time

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

    def now(self) -> float:
        """The event time of the record, in seconds; the clock's where the record has none or one in the future.

        Lifetimes count in it, so that a run over old records sees what one at their time would have seen.
        """
        clock, event_time = self._clock(), self._event_time()
        return clock if event_time is None or event_time > clock + FUTURE_LIMIT else event_time

    def read(self, kind: str, key: str) -> Any:
        """The value, or the empty one when there is none or it has expired."""
        entry = self._live(self._enter(kind, key))
        return EMPTY[kind] if entry is None else entry.value

    def write(self, kind: str, key: str, value: Any, op: dict[str, Any], lifetime: Any = None) -> None:
        """Stores `value` and records `op`. Without a lifetime what was there keeps its end; what is new, or put, gets
        the default one."""
        slot = self._enter(kind, key)
        live = self._live(slot)
        if live is None and self._entry(slot) is not None:
            self._remove(slot)  # expired: the operation starts from nothing
        kept = None if op["op"] == "put" else live
        self._current[slot] = Entry(value, None if kept is None else kept.expires_at)
        self._record(slot, op)
        if lifetime is not None:
            self._expire(slot, self.deadline(lifetime))
        elif kept is None:
            self._expire(slot, int(self.now()) + DEFAULT_LIFETIME)

    def reset(self, kind: str, key: str) -> None:
        """Removes a value and its end."""
        self._remove(self._enter(kind, key))

    def expire(self, key: str, lifetime: Any) -> None:
        """Sets when a key ends, for every kind that is stored under it."""
        deadline = self.deadline(lifetime)
        for kind in KINDS:
            slot = self._enter(kind, key)
            if self._live(slot) is not None:
                self._expire(slot, deadline)

    def deadline(self, lifetime: Any) -> int | None:
        """Seconds since 1970; up to seven days counts from now; 0 means for ever."""
        seconds = int(float(lifetime))
        if seconds == 0:
            return None
        return int(self.now()) + seconds if seconds < RELATIVE_LIMIT else seconds

    # ---- inside

    def _enter(self, kind: str, key: Any) -> Slot:
        if not isinstance(key, str):
            raise TypeError(f"a key must be a string, not {type(key).__name__}")
        pair = self._pair()
        if not pair or self._refusal is not None:
            raise RuntimeError(self._refusal or AT_IMPORT)
        if pair != self._running:
            self._earlier.update(self._current)
            self._current.clear()
            self._running = pair
        return kind, key

    def _entry(self, slot: Slot) -> Entry | None:
        for seen in (self._current, self._earlier, self._committed):
            if slot in seen:
                return seen[slot]
        answer = self._fetch(*slot)
        value = answer.get("value")
        entry = None if value is None else Entry(_decoded(slot[0], value), answer.get("expires_at"))
        self._committed[slot] = entry
        return entry

    def _live(self, slot: Slot) -> Entry | None:
        """The entry, unless it has expired."""
        entry = self._entry(slot)
        expired = entry is not None and entry.expires_at is not None and entry.expires_at <= self.now()
        return None if expired else entry

    def _expire(self, slot: Slot, expires_at: int | None) -> None:
        self._current[slot] = Entry(self._entry(slot).value, expires_at)  # type: ignore[union-attr]
        self._record(slot, {"op": "set_ttl", "expires_at": expires_at})

    def _remove(self, slot: Slot) -> None:
        self._current[slot] = None
        self._record(slot, {"op": "reset"})

    def _record(self, slot: Slot, op: dict[str, Any]) -> None:
        op = {**op, "kind": slot[0], "key": slot[1]}
        ops = self._ops.setdefault(self._running, [])
        if op["op"] == "set_ttl" and ops and ops[-1] == {**op, "expires_at": ops[-1].get("expires_at")}:
            ops.pop()  # the default end of what was just stored, or an end set anew
        ops.append(op)


def _decoded(kind: str, value: Any) -> Any:
    if kind == "counter":
        return int(value)
    return frozenset(value) if kind == "string_set" else json.dumps(value)

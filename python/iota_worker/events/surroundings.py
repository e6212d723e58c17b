"""What an event asks the pack it is evaluated in: data models and lookup tables.
Must not know rules, the protocol or data model files."""
from __future__ import annotations

from typing import Any, Callable, Protocol

from .supplied import read_time


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


class Questions:
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

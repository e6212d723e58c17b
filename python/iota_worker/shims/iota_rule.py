"""`from iota_rule import config`: the values of `config:` in pack.yaml, as overridden in iota.yaml.
Must not know where they come from. `config("name")`, `config["name"]`, `config.get("name", default)`; read-only."""
from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..events import freeze


class Config(Mapping):  # type: ignore[type-arg]
    """The configuration of the pack."""

    __slots__ = ("_values",)

    def __init__(self, values: dict[str, Any]) -> None:
        self._values = freeze(values)

    def __call__(self, name: str) -> Any:
        return self[name]

    def __getitem__(self, name: str) -> Any:
        try:
            return self._values[name]
        except KeyError:
            raise LookupError(f"config value {name!r} is not declared under `config:` in pack.yaml") from None

    def get(self, name: str, default: Any = None) -> Any:
        return self._values.get(name, default)

    def __contains__(self, name: object) -> bool:
        return name in self._values

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"config({dict(self._values)!r})"


config = Config({})

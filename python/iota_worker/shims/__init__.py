"""Modules that rules import by names iota provides: installed into `sys.modules` before any pack code runs.
Must not know records or the protocol; a shim gets what it needs through `install`."""
from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

from ..state import State
from . import aws, caching, iota_rule, panther_core

# Of these names iota's module is the one rules get, whatever is installed or lies in the pack.
PROVIDED = ("iota_rule", "panther_core", "panther_detection_helpers", "boto3", "botocore")


def install(state: State, config: dict[str, Any]) -> None:
    caching.use(state)
    iota_rule.config = iota_rule.Config(config)
    sys.modules["iota_rule"] = iota_rule
    sys.modules["panther_core"] = panther_core
    helpers = _package("panther_detection_helpers")
    helpers.caching = sys.modules["panther_detection_helpers.caching"] = caching  # type: ignore[attr-defined]
    for name, content in aws.MODULES.items():
        module = _package(name)
        vars(module).update(content)
        parent, _, leaf = name.rpartition(".")
        if parent:
            setattr(sys.modules[parent], leaf, module)


@contextmanager
def state_watched(note: Callable[[], None]) -> Iterator[None]:
    """Calls `note` whenever anybody imports the stateful helpers or takes one of them, by whatever means."""

    class Watched(ModuleType):
        def __getattribute__(self, name: str) -> Any:
            if name == "__spec__" or not name.startswith("_"):  # every import asks for the spec
                note()
            return super().__getattribute__(name)

    caching.__class__ = Watched
    try:
        yield
    finally:
        caching.__class__ = ModuleType


def _package(name: str) -> ModuleType:
    module = sys.modules[name] = ModuleType(name, f"Provided by iota in place of {name}.")
    module.__path__ = []  # type: ignore[attr-defined]
    return module

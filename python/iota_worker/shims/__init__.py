"""Modules that rules import by names iota provides: installed into `sys.modules` before any pack code runs.
Must not know records or the protocol; a shim gets what it needs through `install`."""
from __future__ import annotations

import sys
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


def _package(name: str) -> ModuleType:
    module = sys.modules[name] = ModuleType(name, f"Provided by iota in place of {name}.")
    module.__path__ = []  # type: ignore[attr-defined]
    return module

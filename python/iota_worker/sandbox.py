"""The worker's own part of its sandbox: takes the file system, limits and system calls away before pack code runs.
Must not know which rules there are; what is taken away, and by which filter, the engine computes."""
from __future__ import annotations

import os
import resource
import sys
import time
from typing import Any, NoReturn

from . import timezones

RULESET_DESCRIPTOR = 4
_NEW_FILTER, _ALL_THREADS = 1, 1  # SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC


class SandboxError(Exception):
    """The process could not be confined: it must not run pack code."""


def limit_memory(memory: int | None) -> None:
    """Beyond so many bytes an allocation raises MemoryError."""
    if memory is not None:
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))


def enter(spec: dict[str, Any] | None) -> None:
    """From here on no file can be opened and no limit raised. Without `spec` nothing is taken away."""
    if spec is None or spec["landlock"] is None:
        os.closerange(RULESET_DESCRIPTOR, RULESET_DESCRIPTOR + 1)  # then it is somebody else's
    if spec is not None:
        try:
            _confine(spec)
        except (OSError, ImportError, ValueError) as exc:
            raise SandboxError(f"{type(exc).__name__}: {exc}") from None


def refuse_late_imports(spec: dict[str, Any] | None) -> None:
    """Says of modules that cannot be read any more why that is. To be asked after everybody who finds modules is there."""
    if spec is not None:
        sys.meta_path.append(_NoLateImports())


def _confine(spec: dict[str, Any]) -> None:
    import ctypes

    class Program(ctypes.Structure):
        _fields_ = [("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p)]

    syscall = ctypes.CDLL(None, use_errno=True).syscall

    def call(what: str, *arguments: Any) -> None:
        numbers = [ctypes.c_long(item) if isinstance(item, int) else item for item in arguments]
        if syscall(*numbers) != 0:
            error = ctypes.get_errno()
            raise OSError(error, f"{what}: {os.strerror(error)}")

    time.tzset()  # reads the zone of TZ
    timezones.keep()
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))
    if spec["landlock"] is not None:
        call("landlock", spec["landlock"], RULESET_DESCRIPTOR, 0)
        os.close(RULESET_DESCRIPTOR)
    instructions = bytes.fromhex(spec["filter"])
    program = Program(len(instructions) // 8, instructions)
    call("seccomp", spec["seccomp"], _NEW_FILTER, _ALL_THREADS, ctypes.byref(program))


class _NoLateImports:
    """Comes last. A module of Python that is there, but cannot be read any more, is not simply unknown."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> None:
        if name.partition(".")[0] in sys.stdlib_module_names:
            _refuse(name)


def _refuse(name: str) -> NoReturn:
    raise ModuleNotFoundError(
        f"No module named {name!r} was loaded before the rules: the sandbox lets rules read no files, so a module of "
        "Python must be named by an import statement of the pack", name=name)

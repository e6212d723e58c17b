"""Turns an exception of a rule into a bounded, JSON-ready description with pack paths and source lines.
Must not know which rule or record it belongs to, and must never raise, whatever the exception does."""
from __future__ import annotations

from typing import Any, Protocol

NAME_LIMIT = 200
MESSAGE_LIMIT = 2_000
TRACEBACK_LIMIT = 8_000
_CHAIN_LIMIT = 3
_HEAD_FRAMES, _TAIL_FRAMES = 10, 20


class Stated(Exception):
    """A failure whose message says all: its traceback is of no use to anybody."""


class Sources(Protocol):
    """Which paths are files of the pack, and their source lines."""

    def __contains__(self, path: object) -> bool: ...
    def get(self, path: str) -> list[str] | None: ...


def describe(exc: BaseException, sources: Sources, with_traceback: bool = True) -> dict[str, Any]:
    """`type`, `message`, `path`, `line` and `traceback` of an exception."""
    try:
        path, line = _place(exc, sources)
        return {
            "type": type_name(exc),
            "message": message(exc),
            "path": path,
            "line": line,
            "traceback": cut_middle(_format(exc, sources), TRACEBACK_LIMIT) if with_traceback else "",
        }
    except BaseException:  # a hostile exception class, or no memory left
        return {"type": "Exception", "message": "the exception could not be described",
                "path": None, "line": None, "traceback": ""}


def stated(kind: str, text: str, path: str | None, line: int | None) -> dict[str, Any]:
    """A description of a failure that is no exception, such as a wrong return type."""
    return {"type": kind, "message": text[:MESSAGE_LIMIT], "path": path, "line": line, "traceback": ""}


def type_name(value: object) -> str:
    return str(type.__getattribute__(type(value), "__name__"))[:NAME_LIMIT]


def message(exc: BaseException) -> str:
    if isinstance(exc, SyntaxError) and isinstance(exc.msg, str):
        return exc.msg[:MESSAGE_LIMIT]
    try:
        return str.__str__(str(exc))[:MESSAGE_LIMIT]
    except BaseException as second:
        return f"<str() of {type_name(exc)} raised {type_name(second)}>"


def safe_repr(value: object) -> str:
    """`repr(value)`, cut and never raising."""
    try:
        return str.__str__(repr(value))[:MESSAGE_LIMIT]
    except BaseException:
        return f"<{type_name(value)}>"


def cut_middle(text: str, limit: int) -> str:
    if len(text) <= limit:
        return text
    half = (limit - 5) // 2
    return f"{text[:half]}\n...\n{text[-half:]}"


def _frames(exc: BaseException) -> list[tuple[str, int, str]]:
    frames, traceback = [], exc.__traceback__
    while traceback is not None:
        code = traceback.tb_frame.f_code
        if not str(traceback.tb_frame.f_globals.get("__name__")).startswith("iota_worker."):
            frames.append((code.co_filename, traceback.tb_lineno, code.co_name))
        traceback = traceback.tb_next
    return frames


def _place(exc: BaseException, sources: Sources) -> tuple[str | None, int | None]:
    if isinstance(exc, SyntaxError) and exc.filename in sources:
        return exc.filename, exc.lineno if isinstance(exc.lineno, int) else None
    for path, line, _ in reversed(_frames(exc)):
        if path in sources:
            return path, line
    return None, None


def _format(exc: BaseException, sources: Sources) -> str:
    parts: list[str] = []
    seen: set[int] = set()
    current: BaseException | None = exc
    joint = ""
    while current is not None and id(current) not in seen and len(seen) < _CHAIN_LIMIT:
        seen.add(id(current))
        parts.append(_format_one(current, sources) + joint)
        if current.__cause__ is not None:
            current, joint = current.__cause__, "\n\nThe above exception was the direct cause of:\n\n"
        elif current.__context__ is not None and not current.__suppress_context__:
            current, joint = current.__context__, "\n\nWhile handling the above exception:\n\n"
        else:
            current = None
    return "".join(reversed(parts))


def _format_one(exc: BaseException, sources: Sources) -> str:
    frames = _frames(exc)
    start = next((i for i, (path, _, _) in enumerate(frames) if path in sources), len(frames))
    lines = [_format_frame(*frame, sources) for frame in frames[start:]]
    if len(lines) > _HEAD_FRAMES + _TAIL_FRAMES:
        left_out = len(lines) - _HEAD_FRAMES - _TAIL_FRAMES
        lines[_HEAD_FRAMES:-_TAIL_FRAMES] = [f"  [{left_out} more frames]\n"]
    if isinstance(exc, SyntaxError) and exc.filename in sources and isinstance(exc.lineno, int):
        lines.append(_format_frame(exc.filename, exc.lineno, "<module>", sources))
    heading = "Traceback (most recent call last):\n" if lines else ""
    text = message(exc)
    return heading + "".join(lines) + type_name(exc) + (f": {text}" if text else "")


def _format_frame(path: str, line: int | None, function: str, sources: Sources) -> str:
    text = f'  File "{path}", line {line}, in {function}\n'
    source = sources.get(path)
    if source is not None and line is not None and 0 < line <= len(source):
        text += f"    {source[line - 1].strip()[:200]}\n"
    return text

"""Catches what rules print, log or warn, line by line, bounded, with the pair that was running.
Must not know the protocol; who asks decides what a pair means."""
from __future__ import annotations

import io
import sys
from typing import Callable

LINE_LIMIT = 2_000
LINES_LIMIT = 1_000


class Capture(io.TextIOBase):
    """Stands in for `sys.stdout` and `sys.stderr`. `here` tells where the running code belongs."""

    encoding = "utf-8"
    errors = "replace"

    def __init__(self, here: Callable[[], object]) -> None:
        self.here = here
        self._lines: list[tuple[object, str]] = []
        self._dropped = 0
        self._partial = ""
        self._place: object = None

    def write(self, text: str) -> int:
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        place = self.here()
        if self._partial and place != self._place:
            self._finish_line()
        self._place = place
        start = 0
        while (end := text.find("\n", start)) >= 0:
            self._partial += text[start:min(end, start + LINE_LIMIT)]
            self._finish_line()
            start = end + 1
        self._partial = (self._partial + text[start:start + LINE_LIMIT])[:LINE_LIMIT]
        return len(text)

    def take(self) -> tuple[list[tuple[object, str]], int]:
        """The lines since the last call as (place, text), and how many were dropped."""
        if self._partial:
            self._finish_line()
        taken = self._lines, self._dropped
        self._lines, self._dropped = [], 0
        return taken

    def _finish_line(self) -> None:
        if len(self._lines) < LINES_LIMIT:
            self._lines.append((self._place, self._partial[:LINE_LIMIT]))
        else:
            self._dropped += 1
        self._partial = ""

    def flush(self) -> None:
        pass

    def close(self) -> None:
        """A rule may not silence the others."""

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return False


def install(capture: Capture) -> None:
    """Points the standard streams to the capture; also undoes what a rule put in their place."""
    if sys.stdout is not capture or sys.stderr is not capture:
        sys.stdout = sys.stderr = sys.__stdout__ = sys.__stderr__ = capture  # type: ignore[misc]
        sys.stdin = sys.__stdin__ = io.StringIO("")  # type: ignore[misc]

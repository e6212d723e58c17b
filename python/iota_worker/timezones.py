"""Time zones for `zoneinfo`, read while files can still be opened.
Must not know why they cannot be later."""
from __future__ import annotations

import io
import os
import sys
from typing import BinaryIO

_OTHER_FORMS = frozenset({"posix", "right"})  # the same zones again
_FIRST_BYTES = b"TZif"


def keep() -> None:
    """When the pack uses `zoneinfo`: from now on its zones come from memory."""
    zoneinfo = sys.modules.get("zoneinfo")
    if zoneinfo is None:
        return
    from zoneinfo import _common  # type: ignore[attr-defined]

    zones: dict[str, bytes] = {}
    for directory in reversed(zoneinfo.TZPATH):  # the first one counts
        for above, below, names in os.walk(directory):
            if above == directory:
                below[:] = [name for name in below if name not in _OTHER_FORMS]
            for name in names:
                path = os.path.join(above, name)
                content = _read(path)
                if content.startswith(_FIRST_BYTES):
                    zones[os.path.relpath(path, directory)] = content
    installed = _common.load_tzdata

    def load(key: str) -> BinaryIO:
        return io.BytesIO(zones[key]) if key in zones else installed(key)

    zoneinfo.reset_tzpath(to=())
    _common.load_tzdata = load
    zoneinfo.available_timezones = lambda: set(zones)


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return b""
